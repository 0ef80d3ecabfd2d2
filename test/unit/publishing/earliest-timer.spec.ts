import { describe, expect, it } from '@jest/globals';
import { EarliestTimer } from '../../../lib/publishing/earliest-timer.js';
import { ManualClock } from '../../support/manual-clock.js';

function armed(...delays: number[]) {
  const clock = new ManualClock();
  const begun = clock.now();
  const woken: number[] = [];
  const timer = new EarliestTimer(clock, () => woken.push(clock.now() - begun));
  const arm = (delay: number) => {
    timer.arm(begun + delay);
  };
  delays.forEach(arm);
  return { clock, timer, arm, woken };
}

describe('EarliestTimer', () => {
  it('wakes its owner once, at the earliest, with one timer', () => {
    const { clock, woken } = armed(30, 10, 20);
    expect(clock.pending).toBe(1);
    clock.advance(100);
    expect(woken).toEqual([10]);
  });

  it('can be armed again after it woke its owner', () => {
    const { clock, arm, woken } = armed(10);
    clock.advance(10);
    arm(20);
    clock.advance(10);
    expect(woken).toEqual([10, 20]);
  });

  it('wakes at once for a moment that has passed', () => {
    const { clock, arm, woken } = armed();
    clock.advance(5);
    arm(1);
    clock.advance(0);
    expect(woken).toEqual([5]);
  });

  it('leaves no timer behind when disarmed, nor for what is never due', () => {
    const { clock, timer, woken } = armed(10, Infinity);
    timer.disarm();
    timer.arm(Infinity);
    expect(clock.pending).toBe(0);
    clock.advance(100);
    expect(woken).toEqual([]);
  });

  it('wakes early rather than ask for a delay that Node takes for none', () => {
    const month = 31 * 24 * 3600 * 1000;
    const { clock, woken } = armed(month);
    clock.advance(month);
    expect(woken).toEqual([2 ** 31 - 1]);
  });
});
