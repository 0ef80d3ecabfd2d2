import { expect, it } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { DriverError } from '../../../lib/kafka-events.errors.js';
import { onCleanup } from '../../support/cleanup.js';
import { eventually } from '../../support/eventually.js';
import {
  driverFor,
  GroupMember,
  LogLines,
  produce,
  textRecord,
} from '../../support/kafka-driver.js';
import { describeEachKafka } from '../../support/each-kafka.js';
import { startPrivateBroker } from '../../support/real-kafka.js';
import { createTopic, uniqueName, withAdmin } from '../../support/unique-topic.js';
import { Kafka, logLevel, Partitioners } from 'kafkajs';

describeEachKafka('a consumer of the kafkajs driver', (brokers) => {
  const driver = driverFor(brokers);

  it('holds back a paused partition, and goes on within a second', async () => {
    const topic = await createTopic(brokers, { partitions: 2 });
    const groupId = uniqueName('group');
    const member = await new GroupMember(driver, { groupId, topics: [topic] }).start();
    member.consumer.pause({ topic, partition: 0 });
    await produce(driver, topic, [
      textRecord('held', { partition: 0 }),
      textRecord('free', { partition: 1 }),
    ]);
    await eventually(() => member.values.includes('free'));
    await sleep(500);
    expect(member.values).toEqual(['free']);

    const resumedAt = performance.now();
    member.consumer.resume({ topic, partition: 0 });
    await eventually(() => member.values.includes('held'));
    expect(performance.now() - resumedAt).toBeLessThan(1000);
  });

  it('keeps a pause through a rebalance, but not for a partition that was gone', async () => {
    const topic = await createTopic(brokers, { partitions: 2 });
    const groupId = uniqueName('group');
    const first = await new GroupMember(driver, { groupId, topics: [topic] }).start();
    for (const partition of first.owned.values()) first.consumer.pause(partition);
    const second = await new GroupMember(driver, { groupId, topics: [topic] }).start();
    await first.owns(1);
    const [kept] = [...first.owned.values()];
    await second.consumer.stop(5000);
    await first.owns(2);
    await produce(driver, topic, [
      textRecord('0', { partition: 0 }),
      textRecord('1', { partition: 1 }),
    ]);
    await eventually(() => first.values.length > 0);
    await sleep(500);
    expect(first.values).toEqual([String(1 - (kept?.partition ?? NaN))]);
  });

  it('delivers nothing after quiesce, although it stays in the group and commits', async () => {
    const topic = await createTopic(brokers, { partitions: 1 });
    const groupId = uniqueName('group');
    const member = new GroupMember(driver, { groupId, topics: [topic], sessionTimeoutMs: 1500 });
    await member.start();
    await produce(driver, topic, [textRecord('before')]);
    await eventually(() => member.values.length === 1);
    member.consumer.quiesce();
    await produce(driver, topic, [textRecord('after')]);
    await sleep(2500);
    expect(member.values).toEqual(['before']);
    const item = { ...member.partition(`${topic}[0]`), offset: 1n };
    expect(await member.consumer.commit([item])).toEqual([item]);
    await member.consumer.stop(5000);

    const next = await new GroupMember(driver, { groupId, topics: [topic] }).start();
    await eventually(() => next.values.length > 0);
    expect(next.values).toEqual(['after']);
  });

  it('stops within its time, and says so of commits from then on', async () => {
    const broker = await startPrivateBroker();
    const topic = await createTopic(broker.brokers, { partitions: 1 });
    const own = driverFor(broker.brokers);
    const member = await new GroupMember(own, { groupId: 'group', topics: [topic] }).start();
    const owned = member.partition(`${topic}[0]`);
    broker.pause();
    const stoppedAt = performance.now();
    await member.consumer.stop(700);
    expect(performance.now() - stoppedAt).toBeLessThan(1500);
    broker.resume();
    await expect(member.consumer.commit([{ ...owned, offset: 0n }])).rejects.toMatchObject({
      kind: 'closed',
    });
    expect(member.states.at(-1)).toBe('stopped');
  });

  it('comes back by itself when its broker was away', async () => {
    const broker = await startPrivateBroker();
    const topic = await createTopic(broker.brokers, { partitions: 1 });
    const own = driverFor(broker.brokers, { retries: 2 });
    const member = await new GroupMember(own, { groupId: 'group', topics: [topic] }).start();
    const before = member.partition(`${topic}[0]`);
    await broker.shutDown();
    await eventually(() => member.states.includes('restarting'), { timeoutMs: 20_000 });
    expect(member.lastCause).toBeInstanceOf(DriverError);
    expect(member.owned.size).toBe(0);
    await broker.boot();
    await member.owns(1);
    expect(member.partition(`${topic}[0]`).epoch).toBeGreaterThan(before.epoch);
    await produce(own, topic, [textRecord('after')]);
    await eventually(() => member.values.includes('after'));
  }, 60_000);

  it('starts a new session when a hook refuses records, and reads them again', async () => {
    const topic = await createTopic(brokers, { partitions: 1 });
    const lines = new LogLines();
    const own = driverFor(brokers, {}, lines.log);
    const member = new GroupMember(own, { groupId: uniqueName('group'), topics: [topic] });
    let refusals = 0;
    member.whenRecords = () => {
      if (refusals++ === 0) throw new Error('no room');
    };
    await member.start();
    await produce(driver, topic, [textRecord('once more')]);
    await eventually(() => member.values.length === 2, { timeoutMs: 15_000 });
    expect(member.values).toEqual(['once more', 'once more']);
    const epochs = member.batches.map(({ epoch }) => epoch);
    expect(epochs[1]).toBeGreaterThan(epochs[0] ?? NaN);
    expect(member.lastCause?.message).toContain('no room');
  });

  it('reports a position that the broker has no more, and holds the partition where it was', async () => {
    const topic = await createTopic(brokers, { partitions: 2 });
    const groupId = uniqueName('group');
    await produce(
      driver,
      topic,
      ['a', 'b', 'c', 'd'].map((value) => textRecord(value, { partition: 0 })),
    );
    const first = await new GroupMember(driver, { groupId, topics: [topic] }).start();
    await first.consumer.commit([{ ...first.partition(`${topic}[0]`), offset: 1n }]);
    await first.consumer.stop(5000);
    await withAdmin(brokers, async (admin) => {
      // kafkajs's admin deletes records only of topics that it has heard of.
      await admin.fetchTopicOffsets(topic);
      await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '3' }] });
    });

    const member = await new GroupMember(driver, { groupId, topics: [topic] }).start();
    await eventually(() => member.told.some(({ what }) => what === 'out of range'));
    // Neither the next record nor flow control gets it going: an operator has to say from where.
    member.consumer.pause(member.partition(`${topic}[0]`));
    member.consumer.resume(member.partition(`${topic}[0]`));
    await produce(driver, topic, [textRecord('later', { partition: 0 })]);
    for (const value of ['other', 'another']) {
      await produce(driver, topic, [textRecord(value, { partition: 1 })]);
      await eventually(() => member.values.includes(value));
    }
    expect(member.values).toEqual(['other', 'another']);
    expect(member.told.filter(({ what }) => what === 'out of range')).toHaveLength(1);
    const offsets = await withAdmin(brokers, (admin) =>
      admin.fetchOffsets({ groupId, topics: [topic] }),
    );
    const committed = offsets[0]?.partitions.find(({ partition }) => partition === 0);
    expect(committed?.offset).toBe('1');
  });

  it('moves past records that are nobody’s to see', async () => {
    const topic = await createTopic(brokers, { partitions: 1 });
    const client = new Kafka({ brokers, logLevel: logLevel.NOTHING });
    const producer = client.producer({
      transactionalId: uniqueName('transaction'),
      idempotent: true,
      maxInFlightRequests: 1,
      createPartitioner: Partitioners.DefaultPartitioner,
    });
    await producer.connect();
    onCleanup(() => producer.disconnect());
    const transaction = await producer.transaction();
    await transaction.send({ topic, messages: [{ value: 'aborted' }] });
    await transaction.abort();

    const groupId = uniqueName('group');
    const member = await new GroupMember(driver, { groupId, topics: [topic] }).start();
    await eventually(() => member.batches.length > 0);
    expect(member.batches).toMatchObject([{ records: [], nextOffset: 2n, highWatermark: 2n }]);
  });
});
