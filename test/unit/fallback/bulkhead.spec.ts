import { describe, expect, it } from '@jest/globals';

import { Bulkhead } from '../../../lib/fallback/bulkhead.js';
import { CallScope } from '../../../lib/fallback/call-scope.js';
import { ManualClock } from '../../support/manual-clock.js';

const clock = new ManualClock();
const scope = () => new CallScope(clock.now() + 1_000, clock);

describe('a bulkhead', () => {
  it('lets so many in at once, and the rest in the order of their arrival', async () => {
    const bulkhead = new Bulkhead({ maxConcurrent: 2, maxQueued: 2 });
    const order: number[] = [];
    const entered = [1, 2, 3, 4].map(async (n) => {
      expect(await bulkhead.enter(scope())).toBe('entered');
      order.push(n);
    });
    await entered[1];
    expect(bulkhead).toMatchObject({ inFlight: 2, queued: 2 });

    bulkhead.leave();
    await entered[2];
    bulkhead.leave();
    await entered[3];

    expect(order).toEqual([1, 2, 3, 4]);
    expect(bulkhead).toMatchObject({ inFlight: 2, queued: 0 });
    bulkhead.leave();
    bulkhead.leave();
    expect(bulkhead.inFlight).toBe(0);
  });

  it('refuses at once whoever finds the line full', async () => {
    const bulkhead = new Bulkhead({ maxConcurrent: 1, maxQueued: 0 });
    expect(await bulkhead.enter(scope())).toBe('entered');
    expect(await bulkhead.enter(scope())).toBe('full');
    bulkhead.leave();
    expect(await bulkhead.enter(scope())).toBe('entered');
  });

  it('gives the place in line of whoever gives up to somebody else', async () => {
    const bulkhead = new Bulkhead({ maxConcurrent: 1, maxQueued: 1 });
    await bulkhead.enter(scope());
    const impatient = scope();
    const gaveUp = bulkhead.enter(impatient);
    expect(await bulkhead.enter(scope())).toBe('full');

    impatient.end('cancelled');

    expect(await gaveUp).toBe('interrupted');
    const next = bulkhead.enter(scope());
    expect(bulkhead).toMatchObject({ inFlight: 1, queued: 1 });
    bulkhead.leave();
    expect(await next).toBe('entered');
    expect(bulkhead).toMatchObject({ inFlight: 1, queued: 0 });
  });
});
