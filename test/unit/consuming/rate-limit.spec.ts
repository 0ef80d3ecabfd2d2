import { expect, it } from '@jest/globals';
import fc from 'fast-check';

import { RateLimit } from '../../../lib/consuming/rate-limit.js';
import { ManualClock } from '../../support/manual-clock.js';
import { WALL_TIME_STEPS } from '../../support/wall-time-steps.js';

it('spaces places out evenly, after as many as the burst allows', () => {
  const clock = new ManualClock();
  const rate = new RateLimit({ perSecond: 10, burst: 3 }, clock);

  expect(Array.from({ length: 6 }, () => rate.reserve())).toEqual([0, 0, 0, 100, 200, 300]);
});

it('starts several at once, and has the next one wait for them all', () => {
  const clock = new ManualClock();
  const rate = new RateLimit({ perSecond: 10, burst: 1 }, clock);

  expect([rate.reserve(5), rate.reserve(2), rate.reserve()]).toEqual([0, 500, 700]);
});

it('allows the burst again after a pause, and never more', () => {
  const clock = new ManualClock();
  const rate = new RateLimit({ perSecond: 10, burst: 2 }, clock);
  rate.reserve();
  rate.reserve();

  clock.advance(60_000);

  expect(Array.from({ length: 4 }, () => rate.reserve())).toEqual([0, 0, 100, 200]);
});

it.each(WALL_TIME_STEPS)('goes on evenly where the time of day is set %s', (_, stepMs) => {
  const clock = new ManualClock();
  const rate = new RateLimit({ perSecond: 10, burst: 2 }, clock);
  expect([rate.reserve(), rate.reserve(), rate.reserve()]).toEqual([0, 0, 100]);

  clock.stepWallTime(stepMs);

  expect([rate.reserve(), rate.reserve()]).toEqual([200, 300]);
});

it('never gives more places than rate and burst allow, in any window', () => {
  const pauses = fc.array(fc.integer({ min: 0, max: 400 }), { minLength: 1, maxLength: 100 });
  const policy = fc.record({
    perSecond: fc.integer({ min: 1, max: 200 }),
    burst: fc.integer({ min: 1, max: 20 }),
  });
  fc.assert(
    fc.property(policy, pauses, ({ perSecond, burst }, waits) => {
      const clock = new ManualClock();
      const rate = new RateLimit({ perSecond, burst }, clock);
      const starts = waits.map((ms) => {
        clock.advance(ms);
        return clock.now() + rate.reserve();
      });
      for (let from = 0; from < starts.length; from++) {
        for (let to = from; to < starts.length; to++) {
          const seconds = ((starts[to] ?? 0) - (starts[from] ?? 0)) / 1000;
          const allowed = burst + seconds * perSecond;
          // Milliseconds since 1970 leave doubles no more than four decimals.
          expect(to - from + 1).toBeLessThanOrEqual(Math.floor(allowed + 1e-3));
        }
      }
    }),
  );
});
