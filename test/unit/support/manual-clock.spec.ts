import { describe, expect, it } from '@jest/globals';
import { ManualClock } from '../../support/manual-clock.js';

describe('ManualClock', () => {
  it('runs timers when due, in order, each seeing its own moment', () => {
    const clock = new ManualClock();
    const begun = clock.now();
    const seen: string[] = [];
    const note = (name: string) => () => seen.push(`${name}@${clock.now() - begun}`);
    clock.setTimeout(note('late'), 300);
    clock.setTimeout(note('early'), 100);
    clock.setTimeout(note('early too'), 100);
    clock.setTimeout(() => clock.setTimeout(note('nested'), 50), 100);

    clock.advance(200);
    expect(seen).toEqual(['early@100', 'early too@100', 'nested@150']);
    expect(clock.now() - begun).toBe(200);
    expect(clock.pending).toBe(1);

    clock.advance(100);
    expect(seen.at(-1)).toBe('late@300');
    expect(clock.pending).toBe(0);
  });

  it('never runs a cleared timer', () => {
    const clock = new ManualClock();
    const handle = clock.setTimeout(() => {
      throw new Error('ran');
    }, 10);
    clock.clearTimeout(handle);
    clock.advance(20);
    expect(clock.pending).toBe(0);
  });

  it('lets promises settle between timers when advanced asynchronously', async () => {
    const clock = new ManualClock();
    const begun = clock.now();
    const sleep = (ms: number) =>
      new Promise<void>((resolve) => {
        clock.setTimeout(resolve, ms);
      });
    const sleepThrice = async () => {
      for (let i = 0; i < 3; i++) await sleep(10);
      return clock.now() - begun;
    };
    const slept = sleepThrice();
    await clock.advanceAsync(100);
    await expect(slept).resolves.toBe(30);
  });

  it('tells the time of day, which goes forward with it and can be set alone', () => {
    const clock = new ManualClock(5_000);
    const begun = clock.now();
    let fired = 0;
    clock.setTimeout(() => fired++, 100);
    clock.advance(99);
    expect(clock.wallTime()).toEqual(new Date(5_099));
    clock.stepWallTime(3_600_000);
    clock.stepWallTime(-1);
    expect([clock.wallTime(), clock.now() - begun, fired]).toEqual([new Date(3_605_098), 99, 0]);
    clock.advance(1);
    expect([clock.wallTime(), clock.now() - begun, fired]).toEqual([new Date(3_605_099), 100, 1]);
  });
});
