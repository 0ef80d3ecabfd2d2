import { describe, it } from '@jest/globals';

import { MemoryCursorStore } from '../../lib/legacy/cursor-store.js';
import { cursorStoreConformance } from '../../lib/testing/cursor-store-conformance.js';

describe('MemoryCursorStore keeps the promises of a cursor store', () => {
  const cases = cursorStoreConformance({ create: () => Promise.resolve(new MemoryCursorStore()) });
  it.each(cases)('$name', ({ run }) => run());
});
