import { describe, expect, it } from '@jest/globals';

import { MemoryIdempotencyStore } from '../../lib/idempotency/memory-idempotency-store.js';
import { idempotencyStoreConformance } from '../../lib/testing/idempotency-store-conformance.js';
import { ManualClock } from '../support/manual-clock.js';

describe('MemoryIdempotencyStore keeps the promises of an idempotency store', () => {
  const cases = idempotencyStoreConformance({
    create: () => {
      const clock = new ManualClock();
      const store = new MemoryIdempotencyStore({ clock });
      return Promise.resolve({
        store,
        advance: (ms) => {
          clock.advance(ms);
        },
        dispose: () => {
          // Nothing may keep the process alive.
          expect(clock.pending).toBe(0);
        },
      });
    },
  });
  it.each(cases)('$name', ({ run }) => run());
});
