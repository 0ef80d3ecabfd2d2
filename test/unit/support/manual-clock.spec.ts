import { describe, expect, it } from '@jest/globals';
import { ManualClock } from '../../support/manual-clock.js';

describe('ManualClock', () => {
  it('runs timers when due, in order, each seeing its own moment', () => {
    const clock = new ManualClock(1000);
    const seen: string[] = [];
    const note = (name: string) => () => seen.push(`${name}@${clock.now()}`);
    clock.setTimeout(note('late'), 300);
    clock.setTimeout(note('early'), 100);
    clock.setTimeout(note('early too'), 100);
    clock.setTimeout(() => clock.setTimeout(note('nested'), 50), 100);

    clock.advance(200);
    expect(seen).toEqual(['early@1100', 'early too@1100', 'nested@1150']);
    expect(clock.now()).toBe(1200);
    expect(clock.pending).toBe(1);

    clock.advance(100);
    expect(seen.at(-1)).toBe('late@1300');
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
    const clock = new ManualClock(0);
    const sleep = (ms: number) =>
      new Promise<void>((resolve) => {
        clock.setTimeout(resolve, ms);
      });
    const sleepThrice = async () => {
      for (let i = 0; i < 3; i++) await sleep(10);
      return clock.now();
    };
    const slept = sleepThrice();
    await clock.advanceAsync(100);
    await expect(slept).resolves.toBe(30);
  });
});
