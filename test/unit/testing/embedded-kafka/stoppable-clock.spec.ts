import { describe, expect, it } from '@jest/globals';
import { StoppableClock } from '../../../../lib/testing/embedded-kafka/state/stoppable-clock.js';
import { ManualClock } from '../../../support/manual-clock.js';

describe('StoppableClock', () => {
  it('runs and clears timers like the clock beneath', () => {
    const { beneath, clock, ran } = start();
    clock.setTimeout(ran.add('a'), 10);
    clock.clearTimeout(clock.setTimeout(ran.add('b'), 10));
    beneath.advance(10);
    expect(ran.names).toEqual(['a']);
    expect(clock.now()).toBe(beneath.now());
    expect(clock.wallTime()).toEqual(beneath.wallTime());
  });

  it('gives up pending timers, and takes no new ones, once it is stopped', () => {
    const { beneath, clock, ran } = start();
    const pending = clock.setTimeout(ran.add('a'), 10);
    clock.stop();
    clock.clearTimeout(pending);
    clock.clearTimeout(clock.setTimeout(ran.add('b'), 10));
    expect(beneath.pending).toBe(0);
    beneath.advance(10);
    expect(ran.names).toEqual([]);
  });
});

function start() {
  const beneath = new ManualClock();
  const names: string[] = [];
  const add = (name: string) => () => void names.push(name);
  return { beneath, clock: new StoppableClock(beneath), ran: { names, add } };
}
