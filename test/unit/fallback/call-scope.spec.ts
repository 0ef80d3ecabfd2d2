import { describe, expect, it } from '@jest/globals';

import { CallScope } from '../../../lib/fallback/call-scope.js';
import { ManualClock } from '../../support/manual-clock.js';

const forever = new Promise<never>(() => undefined);

describe('the scope of a call', () => {
  it('ends what is waited for at its deadline, and leaves no timer', async () => {
    const clock = new ManualClock();
    const scope = new CallScope(clock.now() + 100, clock);
    const waits = Promise.allSettled([scope.within(forever), scope.wait(1_000)]);
    clock.advance(99);
    expect(scope.ended).toBeNull();
    clock.advance(1);
    expect(scope).toMatchObject({ ended: 'deadline', leftMs: 0 });
    expect(scope.signal.aborted).toBe(true);
    expect(await waits).toMatchObject([{ status: 'rejected' }, { value: false }]);
    expect(clock.pending).toBe(0);
  });

  it('ends with either of its callers', () => {
    for (const index of [0, 1]) {
      const clock = new ManualClock();
      const callers = [new AbortController(), new AbortController()];
      const scope = new CallScope(
        clock.now() + 100,
        clock,
        callers.map(({ signal }) => signal),
      );
      callers[index]?.abort();
      expect(scope.ended).toBe('cancelled');
      expect(clock.pending).toBe(0);
    }
  });

  it('has ended at once where its caller has gone already', async () => {
    const clock = new ManualClock();
    const scope = new CallScope(clock.now() + 100, clock, [AbortSignal.abort()]);
    expect(scope.ended).toBe('cancelled');
    await expect(scope.within(forever)).rejects.toThrow('ended before its answer');
    expect(await scope.wait(10)).toBe(false);
    expect(clock.pending).toBe(0);
  });

  it('does not touch others: an end is its own', () => {
    const clock = new ManualClock();
    const [short, long] = [
      new CallScope(clock.now() + 10, clock),
      new CallScope(clock.now() + 20, clock),
    ];
    clock.advance(10);
    expect(short.signal.aborted).toBe(true);
    expect(long.signal.aborted).toBe(false);
  });

  it('gives what was in time, and closes without a trace', async () => {
    const clock = new ManualClock();
    const caller = new AbortController();
    const scope = new CallScope(clock.now() + 100, clock, [caller.signal]);
    expect(await scope.within(Promise.resolve('reply'))).toBe('reply');
    scope.close();
    expect(clock.pending).toBe(0);
    caller.abort();
    expect(scope.ended).toBeNull();
  });
});
