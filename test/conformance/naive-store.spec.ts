import { describe, it } from '@jest/globals';

import { idempotencyStoreConformance } from '../../lib/testing/index.js';
import { ManualClock } from '../support/manual-clock.js';
import { NaiveStore } from '../support/naive-store.js';

describe('the store that tests of the engine stand on keeps the promises of an idempotency store', () => {
  const cases = idempotencyStoreConformance({
    create: () => {
      const clock = new ManualClock();
      const advance = (ms: number) => {
        clock.advance(ms);
      };
      return Promise.resolve({ store: new NaiveStore(clock), advance });
    },
  });
  it.each(cases)('$name', ({ run }) => run());
});
