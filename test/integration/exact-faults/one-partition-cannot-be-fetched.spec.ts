import { describe, expect, it } from '@jest/globals';
import { eventually } from '../../support/eventually.js';
import { FaultyShop, TOPIC } from '../../support/faulty-shop.js';

const FAILING = { topic: TOPIC, partition: 0 };

describe('a partition that cannot be fetched', () => {
  it.each(['UNKNOWN_SERVER_ERROR', 'TOPIC_AUTHORIZATION_FAILED', 'CORRUPT_MESSAGE'] as const)(
    'for a moment (%s) is read on from where it was',
    async (error) => {
      const shop = await FaultyShop.open();
      const member = await shop.join();
      for (const partition of [0, 1, 2]) await shop.done(await shop.order(partition, 2));
      const failed = shop.kafka.failFetch(FAILING, error, { times: 3 });
      await eventually(() => failed.hits === 3);
      for (const partition of [0, 1, 2]) await shop.order(partition, 4);

      await shop.keepsItsPromise();
      expect(member.health.counts.fetchFailed).toBe(1);
      expect(member.health).toMatchObject({ status: 'up', problems: [] });
    },
  );

  it('while a leader is elected is read from the new one', async () => {
    const shop = await FaultyShop.open({ brokers: 2, partitions: 2 });
    await shop.join();
    for (const partition of [0, 1]) await shop.done(await shop.order(partition, 2));
    // For so long the cluster names the leader that does not lead any more.
    const electing = shop.kafka.failFetch(FAILING, 'NOT_LEADER_OR_FOLLOWER', { times: Infinity });
    await shop.order(0, 2);
    await eventually(() => electing.hits >= 3);
    const leader = shop.leaderOf(0);
    electing.remove();
    shop.kafka.moveLeader(TOPIC, 0, 1 - leader);
    for (const partition of [0, 1]) await shop.order(partition, 2);

    await shop.keepsItsPromise();
    expect(shop.leaderOf(0)).toBe(1 - leader);
  });

  it.each(['NOT_LEADER_OR_FOLLOWER', 'UNKNOWN_SERVER_ERROR', 'KAFKA_STORAGE_ERROR'] as const)(
    'for good (%s) does not stop the others',
    async (error) => {
      const shop = await FaultyShop.open();
      const member = await shop.join();
      for (const partition of [0, 1, 2]) await shop.done(await shop.order(partition, 2));
      await shop.commits([2, 2, 2]);
      const failed = shop.kafka.failFetch(FAILING, error, { times: Infinity });
      await eventually(() => failed.hits > 0);
      await shop.order(0, 2);
      for (let i = 0; i < 3; i++) {
        for (const partition of [1, 2]) await shop.done(await shop.order(partition, 2));
      }
      await shop.commits([2, 8, 8]);
      await eventually(() => member.health.status === 'degraded');
      expect(member.health.problems.join()).toContain(`cannot read ${TOPIC}[0]: `);
      expect(member.health.groups[0]?.state).toMatch(/^(running|rebalancing)$/);
      failed.remove();

      await shop.keepsItsPromise();
    },
  );
});
