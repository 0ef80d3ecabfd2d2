import { describe, expect, it } from '@jest/globals';

import { acceptDurably } from '../../../lib/hybrid/accept-durably.js';
import { PublishDeadlineError } from '../../../lib/kafka-events.errors.js';
import { settle } from '../../support/engine-events.js';
import { Placed, World } from '../../support/hybrid-world.js';
import { rejectionOf } from '../../support/thrown-by.js';

const ID = { eventId: 'command-1' };

function acceptIn(world: World) {
  const accept = acceptDurably(world.process(), world.outbox());
  return (n = 0, options = {}, leftMs = 200) =>
    accept(Placed, { orderId: 'a', n }, options, leftMs);
}

describe('a command that becomes an event', () => {
  it('is kept by the broker, while that is there', async () => {
    const world = new World();
    expect(await acceptIn(world)(0, ID)).toMatchObject({
      ...{ ...ID, keptBy: 'broker' },
      receipt: { ...ID, topic: 'orders' },
    });
    expect(world.outboxed).toEqual([]);
  });

  it('is kept by the outbox, under the same id, while the broker is away', async () => {
    const world = new World();
    world.broker = 'away';
    expect(await acceptIn(world)(0, ID)).toEqual({ ...ID, keptBy: 'outbox', receipt: null });
    expect(world.ids(world.outboxed)).toEqual([ID.eventId]);
  });

  it('leaves the outbox half of its time, unless it says otherwise', async () => {
    const world = new World();
    const accept = acceptIn(world);
    await accept(0, {}, 200.5);
    await accept(0, {}, 0.5);
    await accept(0, { deadlineMs: 7 });
    world.outboxIs = 'none';
    await acceptIn(world)();
    expect(world.log.map(({ deadlineMs }) => deadlineMs)).toEqual([100, 1, 7, 200]);
  });

  it('stays behind those of its key that the outbox has', async () => {
    const world = new World();
    const accept = acceptIn(world);
    world.broker = 'away';
    await accept(0);
    world.broker = 'up';
    await world.clock.advanceAsync(1_000);
    const next = accept(1);
    await settle();
    expect(world.log).toEqual([]);
    world.relay();
    await world.clock.advanceAsync(50);
    expect(await next).toMatchObject({ keptBy: 'broker' });
    expect(world.ids()).toEqual(['e0', 'e1']);
  });

  it('is nobody’s where no outbox takes it, either', async () => {
    const world = new World();
    const accept = acceptIn(world);
    await accept();
    world.broker = world.outboxIs = 'away';
    expect(await rejectionOf(accept)).toBeInstanceOf(PublishDeadlineError);
    world.outboxIs = 'none';
    expect(await rejectionOf(acceptIn(world))).toBeInstanceOf(PublishDeadlineError);
  });
});
