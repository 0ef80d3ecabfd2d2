import { describe, it } from '@jest/globals';

import { viewStoreConformance } from '../../lib/testing/view-store-conformance.js';
import { MemoryViewStore } from '../../lib/views/memory-view-store.js';
import { ManualClock } from '../support/manual-clock.js';

describe('MemoryViewStore keeps the promises of a view store', () => {
  const cases = viewStoreConformance({
    create: () => {
      const clock = new ManualClock();
      return Promise.resolve({
        store: new MemoryViewStore({ clock }),
        advance: (ms) => {
          clock.advance(ms);
        },
      });
    },
  });
  it.each(cases)('$name', ({ run }) => run());
});
