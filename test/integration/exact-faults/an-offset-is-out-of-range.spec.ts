import { describe, expect, it } from '@jest/globals';
import { eventually } from '../../support/eventually.js';
import { FaultyShop, GROUP, TOPIC, type ShopMember } from '../../support/faulty-shop.js';
import { withAdmin } from '../../support/unique-topic.js';
import { WireMember } from '../../support/wire-group.js';

describe('a position that its log does not have', () => {
  it('because the log was truncated holds that partition, loudly, and commits nothing', async () => {
    const shop = await FaultyShop.open();
    const member = await shop.join();
    for (const partition of [0, 1, 2]) await shop.order(partition, 4);
    await shop.commits([4, 4, 4]);
    shop.kafka.truncate(TOPIC, 0, 2);

    await isHeld(member);
    await shop.done(await shop.order(1, 4));
    await shop.commits([4, 8, 4]);
    expect(shop.wrongCommits).toEqual([]);
    expect(shop.runs).toHaveLength(16);
  });

  it('stays held when the log has grown past it: those are other records', async () => {
    const shop = await FaultyShop.open();
    const member = await shop.join();
    await shop.order(0, 4);
    await shop.commits([4, 0, 0]);
    shop.kafka.truncate(TOPIC, 0, 2);
    await isHeld(member);
    await shop.order(0, 6);
    expect(shop.ends[0]).toBeGreaterThan(4);
    await shop.done(await shop.order(1, 4));
    await shop.commits([4, 4, 0]);

    expect(shop.runs.filter((id) => id.startsWith('p0'))).toHaveLength(4);
    expect(member.health.counts.offsetOutOfRange).toBe(1);
  });

  it('because retention was quicker is held at every start, until somebody says where to go on', async () => {
    const shop = await FaultyShop.open();
    const first = await shop.join();
    for (const partition of [0, 1, 2]) await shop.order(partition, 2);
    await shop.commits([2, 2, 2]);
    await first.leave();
    await shop.order(0, 4);
    await deleteBefore(shop, 0, 5);

    for (let start = 0; start < 2; start++) {
      const member = await shop.join();
      await isHeld(member);
      await shop.done(await shop.order(1, 2));
      await member.leave();
      expect(shop.committed[0]).toBe(2);
    }
    const operator = await WireMember.connect(shop.kafka.brokers, GROUP);
    expect(await operator.commit(TOPIC, 5)).toBe(0);
    const member = await shop.join();
    await shop.done(['p0-5']);
    await shop.commits([6, 6, 2]);
    expect(member.health.status).toBe('up');
    expect(shop.runs.filter((id) => id.startsWith('p0'))).toEqual(['p0-0', 'p0-1', 'p0-5']);
  });

  it('while its records are being handled lets them finish, and commits what they did', async () => {
    const shop = await FaultyShop.open();
    const held = shop.hold('p0-2');
    const member = await shop.join();
    await shop.order(0, 4);
    await held.running;
    await shop.commits([2, 0, 0]);
    await deleteBefore(shop, 0, 4);
    // What it has read is in its hands: the log's beginning does not matter to it.
    held.finish();
    await shop.order(0, 2);

    await shop.keepsItsPromise();
    expect(member.health.status).toBe('up');
  });

  it('of two partitions at once holds both, and the third goes on', async () => {
    const shop = await FaultyShop.open();
    const member = await shop.join();
    for (const partition of [0, 1, 2]) await shop.order(partition, 4);
    await shop.commits([4, 4, 4]);
    for (const partition of [0, 1]) shop.kafka.truncate(TOPIC, partition, 1);

    await eventually(() => member.health.counts.offsetOutOfRange === 2);
    await shop.done(await shop.order(2, 4));
    await shop.commits([4, 4, 8]);
    expect(shop.wrongCommits).toEqual([]);
  });
});

async function isHeld(member: ShopMember): Promise<void> {
  await eventually(() => member.health.counts.offsetOutOfRange === 1);
  expect(member.health.status).toBe('degraded');
  expect(member.health.problems.join()).toContain(
    '1 partition(s) held: their committed offset is not in the log any more',
  );
}

/** Loses the records of a partition below that offset, as retention does. */
async function deleteBefore(shop: FaultyShop, partition: number, offset: number): Promise<void> {
  await withAdmin(shop.kafka.brokers, async (admin) => {
    // kafkajs's admin deletes records only of topics that it has heard of.
    await admin.fetchTopicOffsets(TOPIC);
    const partitions = [{ partition, offset: String(offset) }];
    await admin.deleteTopicRecords({ topic: TOPIC, partitions });
  });
}
