import { describe, expect, it } from '@jest/globals';
import { eventually } from '../../support/eventually.js';
import { FaultyShop, GROUP, SESSION_MS } from '../../support/faulty-shop.js';
import { ManualClock } from '../../support/manual-clock.js';

describe('a heartbeat', () => {
  it.each(['UNKNOWN_MEMBER_ID', 'REBALANCE_IN_PROGRESS', 'ILLEGAL_GENERATION'] as const)(
    'refused with %s while a handler runs lets that handler finish, once',
    async (error) => {
      const { shop, held } = await running();
      const refused = shop.kafka.on('Heartbeat', (_, control) => control.fail(error));
      await eventually(() => refused.hits === 1);
      await shop.order(0, 2);
      held.finish();

      await shop.keepsItsPromise();
    },
  );

  it('refused while a handler runs for longer than a rejoin waits does not run it again', async () => {
    const { shop, held, member } = await running();
    const { generationId } = shop.kafka.group(GROUP) ?? {};
    shop.kafka.on('Heartbeat', (_, control) => control.fail('REBALANCE_IN_PROGRESS'));
    await eventually(() => (shop.kafka.group(GROUP)?.generationId ?? 0) > (generationId ?? 0));
    await member.owns(3);
    expect(member.health.counts.drainTimedOut).toBe(1);
    // What another partition gets meanwhile is not held up.
    await shop.done(await shop.order(1, 2));
    expect(shop.committed[0]).toBe(0);
    held.finish();

    await shop.keepsItsPromise();
  });

  it.each([1, 3])('unanswered, %i in a row, costs nothing within the session', async (times) => {
    // The session's time stands still: the broker never gives the member up.
    const { shop, held } = await running(new ManualClock());
    const lost = shop.kafka.on('Heartbeat', (_, control) => control.swallow(), { times });
    await eventually(() => lost.hits === times);
    await shop.order(0, 2);
    held.finish();

    await shop.keepsItsPromise();
    expect(shop.kafka.group(GROUP)?.generationId).toBe(1);
  });

  it('lost for a whole session loses the partitions, and repeats nothing', async () => {
    const clock = new ManualClock();
    const { shop, held, member } = await running(clock);
    const lost = shop.kafka.on('Heartbeat', (_, control) => control.closeConnection(), {
      times: 2,
    });
    await eventually(() => lost.hits > 0);
    clock.advance(SESSION_MS + 1);
    expect(shop.kafka.group(GROUP)?.members).toEqual([]);
    await eventually(() => (member.health.counts.partitionLost ?? 0) >= 3);
    await shop.order(0, 2);
    held.finish();

    await shop.keepsItsPromise();
    expect(member.health.status).toBe('up');
  });

  it('of an expired member does not let it commit what another one took over', async () => {
    const { shop, held, member } = await running();
    const [memberId] = shop.kafka.group(GROUP)?.members.map((each) => each.memberId) ?? [];
    // Deaf from now on: it does not even learn that it has been given up.
    const deaf = shop.kafka.on('Heartbeat', (_, control) => control.delay(400), {
      times: Infinity,
      when: (request) => request.memberId === memberId,
    });
    await eventually(() => deaf.hits > 0);
    shop.kafka.expireMember(GROUP, memberId);
    const other = await shop.join();
    await other.owns(3);
    await shop.done(await shop.order(1, 2));
    expect(shop.committed[0]).toBe(0);
    held.finish();
    await shop.commits(shop.ends);
    deaf.remove();
    await eventually(() => member.owned.length > 0 && other.owned.length > 0);
    for (const partition of [0, 1, 2]) await shop.order(partition, 2);

    await shop.keepsItsPromise();
  });
});

/** A member in the middle of the first order of partition 0. */
async function running(clock?: ManualClock) {
  const shop = await FaultyShop.open(clock === undefined ? {} : { clock });
  const held = shop.hold('p0-0');
  const member = await shop.join();
  for (const partition of [0, 1, 2]) await shop.order(partition, 3);
  await held.running;
  return { shop, held, member };
}
