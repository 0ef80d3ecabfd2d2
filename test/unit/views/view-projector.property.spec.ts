import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';

import { MemoryViewStore } from '../../../lib/views/memory-view-store.js';
import { ManualClock } from '../../support/manual-clock.js';
import { viewScenario } from '../../support/view-scenario.js';

const MOVES = { minLength: 20, maxLength: 150, size: 'max' } as const;

describe('a view, whatever happens', () => {
  it('has each event of its log once and in order, never goes back, and is rebuilt to the same', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(viewScenario.move, MOVES), async (moves) => {
        const clock = new ManualClock();
        const scenario = await viewScenario.begin(new MemoryViewStore({ clock }), {
          freezeMs: 60_000,
          advance: (ms) => {
            clock.advance(ms);
          },
        });
        for (const move of moves) await scenario.play(move);
        await scenario.end();
      }),
      { numRuns: 100 },
    );
    expect.hasAssertions();
  }, 120_000);
});
