import { afterEach, describe, expect, it, jest } from '@jest/globals';

import { systemClock } from '../../../lib/contracts/clock.js';
import { WALL_TIME_STEPS } from '../../support/wall-time-steps.js';

describe('the clock of the process', () => {
  afterEach(() => {
    jest.useRealTimers();
  });

  it.each(WALL_TIME_STEPS)(
    'goes on as before where the time of day is set %s by an hour, and tells the new one',
    (_, stepMs) => {
      const [startedAt, begun] = [systemClock.now(), Date.now()];
      jest.useFakeTimers({ now: begun + stepMs, doNotFake: ['performance'] });

      expect(systemClock.wallTime()).toEqual(new Date(begun + stepMs));
      const passedMs = systemClock.now() - startedAt;
      expect(passedMs).toBeGreaterThanOrEqual(0);
      expect(passedMs).toBeLessThan(60_000);
    },
  );

  it('counts whole milliseconds, from near the time of day at which the process began', () => {
    const begun = systemClock.now();
    expect(Number.isSafeInteger(begun)).toBe(true);
    expect(Math.abs(systemClock.wallTime().getTime() - begun)).toBeLessThan(60_000);
  });
});
