import { expect, it } from '@jest/globals';

import { describeEachKafka } from '../../support/each-kafka.js';
import { eventually } from '../../support/eventually.js';
import { uniqueName } from '../../support/unique-topic.js';
import { WireMember } from '../../support/wire-group.js';
import { WireTopic, type Fetched } from '../../support/wire-topic.js';
import { WireTransaction } from '../../support/wire-transaction.js';

const READ_UNCOMMITTED = { isolationLevel: 0 };

describeEachKafka('transactions', (brokers) => {
  const topicOf = () => WireTopic.create(brokers);
  const start = (id = uniqueName('transaction'), timeoutMs?: number) =>
    WireTransaction.start(brokers, id, timeoutMs);

  /** Writes into a transaction, once the markers of the one before have been written. */
  async function write(
    transaction: WireTransaction,
    topic: WireTopic,
    value: string,
    firstSequence = 0,
  ): Promise<void> {
    expect(await transaction.addPartition(topic.topic)).toBe(0);
    await eventually(async () => {
      const produced = await topic.produce([value], { ...transaction.producer, firstSequence });
      expect(produced.errorCode).toBe(0);
      return true;
    });
  }

  it('show nothing to those who read committed records until they end', async () => {
    const topic = await topicOf();
    const transaction = await start();
    await write(transaction, topic, 'a');
    await topic.produce(['outside']);
    expect(await topic.fetch(0)).toMatchObject({
      messages: [],
      highWatermark: '2',
      lastStableOffset: '0',
    });
    expect(dataOf(await topic.fetch(0, READ_UNCOMMITTED))).toEqual(['a', 'outside']);
    expect((await topic.offsetAt(-1, { isolationLevel: 1 })).offset).toBe('0');

    expect(await transaction.end(true)).toBe(0);
    await eventually(async () => (await topic.fetch(0)).lastStableOffset === '3');
    const fetched = await topic.fetch(0);
    expect(dataOf(fetched)).toEqual(['a', 'outside']);
    expect(fetched.messages.map(({ isControlRecord }) => isControlRecord)).toEqual([
      false,
      false,
      true,
    ]);
    expect(fetched.abortedTransactions).toEqual([]);
  });

  it('are named to readers when they were aborted', async () => {
    const topic = await topicOf();
    const transaction = await start();
    await topic.produce(['before']);
    await write(transaction, topic, 'a');
    expect(await transaction.end(false)).toBe(0);
    await eventually(async () => (await topic.fetch(0)).lastStableOffset === '3');
    const { producerId } = transaction;
    expect((await topic.fetch(0)).abortedTransactions).toEqual([{ producerId, firstOffset: '1' }]);
    expect((await topic.fetch(0, READ_UNCOMMITTED)).abortedTransactions).toEqual([]);
    // Past it, nothing aborted is left to be known.
    await topic.produce(['after']);
    expect((await topic.fetch(3)).abortedTransactions).toEqual([]);
  });

  it('can follow each other under one id', async () => {
    const topic = await topicOf();
    const transaction = await start();
    await write(transaction, topic, 'a');
    expect(await transaction.end(false)).toBe(0);
    await write(transaction, topic, 'b', 1);
    expect(await transaction.end(true)).toBe(0);
    await eventually(async () => (await topic.fetch(0)).lastStableOffset === '4');
    const { producerId } = transaction;
    expect((await topic.fetch(0)).abortedTransactions).toEqual([{ producerId, firstOffset: '0' }]);
  });

  it('fence the producer that had the id before, and abort what it left', async () => {
    const topic = await topicOf();
    const zombie = await start();
    await write(zombie, topic, 'a');

    const successor = await start(zombie.transactionalId);
    expect(successor.producerId).toBe(zombie.producerId);
    expect(successor.producerEpoch).toBeGreaterThan(zombie.producerEpoch);
    await eventually(async () => (await topic.fetch(0)).abortedTransactions.length === 1);
    expect([47, 90]).toContain(await zombie.addPartition(topic.topic));
    expect([47, 90]).toContain(await zombie.end(true));
    const late = await topic.produce(['late'], { ...zombie.producer, firstSequence: 1 });
    expect(late.errorCode).toBe(47);
  });

  it('end by themselves when their time is over', async () => {
    const topic = await topicOf();
    const transaction = await start(undefined, 500);
    await write(transaction, topic, 'a');
    // A real broker looks for them every now and then.
    await eventually(async () => (await topic.fetch(0)).abortedTransactions.length === 1, {
      timeoutMs: 20_000,
    });
    expect([47, 90]).toContain(await transaction.end(true));
  });

  it('refuse what does not belong to their course', async () => {
    const { topic } = await topicOf();
    const transaction = await start();
    expect(await transaction.end(true)).toBe(48);
    expect(await transaction.addPartition(uniqueName('nowhere'))).toBe(3);
    transaction.producerId = '999999';
    expect(await transaction.addPartition(topic)).toBe(49);
    const stranger = await start();
    stranger.producerEpoch = 7;
    expect([47, 90]).toContain(await stranger.end(true));
  });

  it('commit offsets of a group when they are committed, and only then', async () => {
    const topic = await topicOf();
    const group = await WireMember.connect(brokers, uniqueName('group'));
    const transaction = await start();
    expect(await transaction.addOffsets(group.groupId)).toBe(0);
    expect(await transaction.commitOffset(group.groupId, topic.topic, 5)).toBe(0);
    expect(await group.committed(topic.topic)).toBe(-1);
    expect(await transaction.end(true)).toBe(0);
    await eventually(async () => (await group.committed(topic.topic)) === 5);

    const aborted = await start();
    await aborted.addOffsets(group.groupId);
    await aborted.commitOffset(group.groupId, topic.topic, 9);
    await aborted.end(false);
    // The abort has arrived once the next transaction has.
    const next = await start();
    await next.addOffsets(group.groupId);
    await next.commitOffset(group.groupId, topic.topic, 6);
    await next.end(true);
    await eventually(async () => (await group.committed(topic.topic)) === 6);
  });
});

function dataOf({ messages }: Fetched): string[] {
  return messages
    .filter(({ isControlRecord }) => !isControlRecord)
    .map(({ value }) => value?.toString() ?? '');
}
