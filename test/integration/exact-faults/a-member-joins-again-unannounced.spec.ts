import { describe, expect, it } from '@jest/globals';
import { eventually } from '../../support/eventually.js';
import { FaultyShop, GROUP, TOPIC } from '../../support/faulty-shop.js';

/**
 * Three of kafkajs's ways into a rejoin do not emit REBALANCING, and two of them happen inside one
 * fetcher while those of other brokers go on.
 */
describe('a member that joins again unannounced', () => {
  it('because it is unknown, keeps what it runs', async () => {
    const { shop, member, held } = await running();
    shop.kafka.expireMember(GROUP);
    await eventually(() => member.health.counts.partitionLost === 4);
    await member.owns(4);
    for (const partition of PARTITIONS) await shop.order(partition, 2);
    held.finish();

    await shop.keepsItsPromise();
  });

  it('because a leader moved, keeps its partitions and their positions', async () => {
    const { shop, member, held } = await running();
    const { generationId = 0 } = shop.kafka.group(GROUP) ?? {};
    const leader = shop.leaderOf(1);
    shop.kafka.moveLeader(TOPIC, 1, 1 - leader);
    await eventually(() => (shop.kafka.group(GROUP)?.generationId ?? 0) > generationId);
    await member.owns(4);
    for (const partition of PARTITIONS) await shop.order(partition, 2);
    held.finish();

    await shop.keepsItsPromise();
    expect(member.health.counts.partitionLost).toBeUndefined();
  });

  it('because leaders keep moving, skips and repeats nothing', async () => {
    const { shop, member, held } = await running();
    const { generationId = 0 } = shop.kafka.group(GROUP) ?? {};
    for (let i = 0; i < 6; i++) {
      const partition = i % 4;
      const leader = 1 - shop.leaderOf(partition);
      const askedBefore = shop.kafka.requestsOf('Fetch').at(-1);
      shop.kafka.moveLeader(TOPIC, partition, leader);
      for (const each of PARTITIONS) await shop.order(each, 3);
      // A member that has just asked who leads follows without joining again.
      await eventually(() => {
        const fetches = shop.kafka.requestsOf('Fetch');
        const since = askedBefore === undefined ? 0 : fetches.lastIndexOf(askedBefore) + 1;
        return fetches
          .slice(since)
          .some(
            ({ nodeId, request }) =>
              nodeId === leader &&
              request.topics.some(({ partitions }) =>
                partitions.some((each) => each.partition === partition),
              ),
          );
      });
    }
    held.finish();
    expect(shop.kafka.group(GROUP)?.generationId).toBeGreaterThan(generationId);

    await shop.keepsItsPromise();
    expect(member.health.status).toBe('up');
  });

  it('while another one joins, loses its share cleanly', async () => {
    const { shop, member, held } = await running();
    shop.kafka.moveLeader(TOPIC, 1, 1 - shop.leaderOf(1));
    const other = await shop.join();
    await other.owns(2);
    await member.owns(2);
    for (const partition of PARTITIONS) await shop.order(partition, 2);
    held.finish();

    await shop.keepsItsPromise();
  });

  it('because there are more partitions, reads the new ones from their beginning', async () => {
    const { shop, member, held } = await running();
    await shop.grow(6);
    for (const partition of [4, 5]) await shop.order(partition, 3);
    // kafkajs looks at the topics anew when a leader has moved.
    shop.kafka.moveLeader(TOPIC, 1, 1 - shop.leaderOf(1));
    await member.owns(6);
    held.finish();

    await shop.keepsItsPromise();
  });
});

const PARTITIONS = [0, 1, 2, 3];

/** A member of a cluster of two brokers, in the middle of the first order of partition 0. */
async function running() {
  const shop = await FaultyShop.open({ brokers: 2, partitions: PARTITIONS.length });
  const held = shop.hold('p0-0');
  const member = await shop.join();
  for (const partition of PARTITIONS) await shop.order(partition, 3);
  await held.running;
  return { shop, held, member };
}
