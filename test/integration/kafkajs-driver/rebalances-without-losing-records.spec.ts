import { expect, it } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import type { CommitItem } from '../../../lib/kafka/driver.js';
import { eventually } from '../../support/eventually.js';
import { driverFor, GroupMember, produce, textRecord } from '../../support/kafka-driver.js';
import { describeEachKafka } from '../../support/each-kafka.js';
import { createTopic, uniqueName, withAdmin } from '../../support/unique-topic.js';

const onePerPartition = (partitions: number) =>
  Array.from({ length: partitions }, (_, partition) =>
    textRecord(`of ${partition}`, { partition }),
  );

describeEachKafka('a group of the kafkajs driver', (brokers) => {
  const driver = driverFor(brokers);

  async function committed(groupId: string, topic: string): Promise<string[]> {
    const [offsets] = await withAdmin(brokers, (admin) =>
      admin.fetchOffsets({ groupId, topics: [topic] }),
    );
    return (offsets?.partitions ?? [])
      .sort((a, b) => a.partition - b.partition)
      .map(({ offset }) => offset);
  }

  it('awaits the drain before each rejoin and takes the commits made in it', async () => {
    const topic = await createTopic(brokers, { partitions: 2 });
    const groupId = uniqueName('group');
    await produce(driver, topic, onePerPartition(2));
    const commits: CommitItem[] = [];
    const first = new GroupMember(driver, { groupId, topics: [topic] });
    first.whenRevoking = async (owned) => {
      await sleep(800);
      const items = owned.map((partition) => ({ ...partition, offset: 1n }));
      commits.push(...(await first.consumer.commit(items)));
    };
    await first.start();
    await first.owns(2);
    await eventually(() => first.values.length === 2);

    const second = await new GroupMember(driver, { groupId, topics: [topic] }).start();
    await first.owns(1);
    await second.owns(1);
    expect(commits).toHaveLength(2);
    expect(await committed(groupId, topic)).toEqual(['1', '1']);

    await second.consumer.stop(5000);
    await first.owns(2);
    // The one it kept through the second rebalance, it committed again.
    expect(commits).toHaveLength(3);
    expect(second.values).toEqual([]);
    expect(first.values).toHaveLength(2);
  });

  it('keeps the epoch of what it keeps, and tells losses before gains and records', async () => {
    const topic = await createTopic(brokers, { partitions: 2 });
    const groupId = uniqueName('group');
    const first = await new GroupMember(driver, { groupId, topics: [topic] }).start();
    await first.owns(2);
    const before = new Map(first.owned);

    const second = await new GroupMember(driver, { groupId, topics: [topic] }).start();
    await first.owns(1);
    const [kept] = [...first.owned.values()];
    expect(kept).toEqual(before.get(`${topic}[${String(kept?.partition)}]`));
    const [moved] = [...second.owned.values()];
    const movedName = `${topic}[${String(moved?.partition)}]`;
    const lostEpoch = before.get(movedName)?.epoch;
    expect(first.told).toContainEqual({ what: 'lost', partition: movedName, epoch: lostEpoch });
    expect(first.memberCount + second.memberCount).toBeGreaterThanOrEqual(2);

    await second.consumer.stop(5000);
    await first.owns(2);
    expect(first.partition(movedName).epoch).toBeGreaterThan(lostEpoch ?? NaN);

    await produce(driver, topic, onePerPartition(2));
    await eventually(() => first.values.length === 2);
    for (const batch of first.batches) {
      expect(batch.epoch).toBe(first.partition(`${topic}[${batch.partition}]`).epoch);
    }
    const ofMoved = first.told.filter(({ partition }) => partition === movedName);
    expect(ofMoved.map(({ what }) => what)).toEqual([
      'assigned',
      'revoking',
      'lost',
      'assigned',
      'records',
    ]);
  });

  it('leaves out of a commit what it has lost, also when it owns the partition again', async () => {
    const topic = await createTopic(brokers, { partitions: 2 });
    const groupId = uniqueName('group');
    await produce(driver, topic, onePerPartition(2));
    const first = await new GroupMember(driver, { groupId, topics: [topic] }).start();
    await first.owns(2);
    const stale = [...first.owned.values()].map((partition) => ({ ...partition, offset: 1n }));
    const second = await new GroupMember(driver, { groupId, topics: [topic] }).start();
    await first.owns(1);
    const kept = [...first.owned.values()].map((partition) => ({ ...partition, offset: 1n }));
    expect(await first.consumer.commit(stale)).toEqual(kept);

    await second.consumer.stop(5000);
    await first.owns(2);
    expect(await first.consumer.commit(stale)).toEqual(kept);
    const offsets = await committed(groupId, topic);
    expect(offsets.sort()).toEqual(['-1', '1']);
  });

  it('goes on without a drain that exceeds its time', async () => {
    const topic = await createTopic(brokers, { partitions: 2 });
    const groupId = uniqueName('group');
    const first = new GroupMember(driver, { groupId, topics: [topic], revokeDrainMs: 300 });
    first.whenRevoking = () => new Promise(() => undefined);
    await first.start();
    const second = await new GroupMember(driver, { groupId, topics: [topic] }).start();
    await first.owns(1);
    await second.owns(1);
    expect(first.told.filter(({ what }) => what === 'revoking')).toHaveLength(2);
  });

  it('delivers every record to somebody while members come and go', async () => {
    const topic = await createTopic(brokers, { partitions: 4 });
    const groupId = uniqueName('group');
    const seen = new Set<string>();
    const join = async () => {
      const member = new GroupMember(driver, { groupId, topics: [topic] });
      const positions = new Map<string, CommitItem>();
      member.whenRecords = (batch) => {
        for (const { value } of batch.records) seen.add(String(value));
        const { epoch, partition, nextOffset: offset } = batch;
        positions.set(`${partition}:${epoch}`, { topic, partition, epoch, offset });
      };
      member.whenRevoking = async () => {
        await member.consumer.commit([...positions.values()]);
      };
      return member.start();
    };
    const steady = await join();
    const sent: string[] = [];
    const producer = driver.producer();
    for (let round = 0; round < 4; round++) {
      const guest = round % 2 === 0 ? await join() : null;
      const values = Array.from({ length: 50 }, (_, i) => `${round}-${i}`);
      sent.push(...values);
      await producer.send(
        topic,
        values.map((value, i) => textRecord(value, { partition: i % 4 })),
      );
      if (guest !== null) {
        await guest.owns(2);
        await guest.consumer.stop(5000);
      }
      await steady.owns(4);
    }
    await producer.close();
    await eventually(() => seen.size === sent.length, { message: 'all records' });
  });
});
