import { describe, expect, it } from '@jest/globals';
import type { ConsumerOptions } from '../../../lib/index.js';
import { eventually } from '../../support/eventually.js';
import { FaultyShop, GROUP } from '../../support/faulty-shop.js';

describe('a coordinator that moves', () => {
  it('while handlers run is found again, and nothing runs twice', async () => {
    const { shop, held, coordinator } = await running();
    shop.kafka.moveCoordinator(GROUP, 1 - coordinator);
    for (const partition of [0, 1, 2]) await shop.order(partition, 2);
    held.finish();

    await shop.keepsItsPromise();
    expect(shop.kafka.requestsOf('OffsetCommit').at(-1)?.nodeId).toBe(1 - coordinator);
  });

  it('in the middle of a commit takes that commit at its new place', async () => {
    const { shop, held, coordinator } = await running();
    const moved = shop.kafka.on('OffsetCommit', (_, control) => {
      shop.kafka.moveCoordinator(GROUP, 1 - coordinator);
      return control.fail('NOT_COORDINATOR');
    });
    held.finish();
    await eventually(() => moved.hits === 1);
    for (const partition of [0, 1, 2]) await shop.order(partition, 2);

    await shop.keepsItsPromise();
  });

  it('to and fro leaves no commit behind', async () => {
    const { shop, held, coordinator } = await running();
    held.finish();
    for (let i = 1; i <= 4; i++) {
      shop.kafka.moveCoordinator(GROUP, (coordinator + i) % 2);
      for (const partition of [0, 1, 2]) await shop.done(await shop.order(partition, 2));
    }
    await shop.keepsItsPromise();
  });

  it('that is gone for longer than it is looked for is found when it is back', async () => {
    const { shop, held, member } = await running();
    const gone = [
      shop.kafka.on('FindCoordinator', (_, control) => control.fail('COORDINATOR_NOT_AVAILABLE'), {
        times: Infinity,
      }),
      ...(['Heartbeat', 'OffsetCommit', 'JoinGroup', 'OffsetFetch'] as const).map((api) =>
        shop.kafka.on(api, (_, control) => control.fail('NOT_COORDINATOR'), { times: Infinity }),
      ),
    ];
    await eventually(() => member.health.groups[0]?.state === 'restarting', { timeoutMs: 20_000 });
    expect(member.health).toMatchObject({ status: 'degraded', ready: false });
    held.finish();
    for (const partition of [0, 1, 2]) await shop.order(partition, 2);
    for (const fault of gone) fault.remove();

    await shop.keepsItsPromise();
    await eventually(() => member.health.status === 'up');
  });

  it('whose broker is down, although it is still named, costs no partition', async () => {
    const { shop, held, member, coordinator } = await running({ sessionTimeoutMs: 20_000 });
    const named = (shop.kafka.brokers[coordinator] ?? '').split(':');
    const stale = shop.kafka.on(
      'FindCoordinator',
      async (_, control) => {
        const answer = await control.handle();
        const [host = '', port] = named;
        const old = { nodeId: coordinator, host, port: Number(port) };
        return control.answer(answer && { ...answer, ...old });
      },
      { times: 4 },
    );
    held.finish();
    await shop.kafka.stopBroker(coordinator);
    for (const partition of [0, 1, 2]) await shop.order(partition, 2);

    await shop.keepsItsPromise();
    expect(stale.hits).toBe(4);
    expect(member.health.counts.partitionLost).toBeUndefined();
  });

  it.each([
    ['before', false],
    ['after', true],
  ])('because its broker stops, right %s a commit was done, loses no commit', async (_, done) => {
    const { shop, held, coordinator, member } = await running();
    let stopped: Promise<void> | undefined;
    const stops = shop.kafka.on('OffsetCommit', async (_request, control) => {
      if (done) await control.handle();
      stopped = shop.kafka.stopBroker(coordinator);
      return control.closeConnection();
    });
    held.finish();
    await eventually(() => stops.hits === 1);
    await stopped;
    for (const partition of [0, 1, 2]) await shop.order(partition, 2);

    await shop.keepsItsPromise();
    await eventually(() => member.health.status === 'up');
    await shop.kafka.startBroker(coordinator);
    for (const partition of [0, 1, 2]) await shop.order(partition, 2);
    await shop.keepsItsPromise();
  });
});

/** A member of a cluster of two brokers, in the middle of the first order of partition 0. */
async function running(consumer: ConsumerOptions = {}) {
  const shop = await FaultyShop.open({ brokers: 2 });
  const held = shop.hold('p0-0');
  const member = await shop.join({ consumer });
  for (const partition of [0, 1, 2]) await shop.order(partition, 3);
  await held.running;
  const coordinator = shop.kafka.requestsOf('JoinGroup').at(-1)?.nodeId ?? NaN;
  return { shop, held, member, coordinator };
}
