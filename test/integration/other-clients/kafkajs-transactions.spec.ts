import { describe, expect, it } from '@jest/globals';
import type { Producer } from 'kafkajs';
import type { EmbeddedKafka } from '../../../lib/testing/index.js';
import { onCleanup } from '../../support/cleanup.js';
import {
  connectedProducer,
  kafkaJs,
  KafkaJsMember,
  startEmbeddedKafka,
} from '../../support/embedded-kafka.js';
import { eventually } from '../../support/eventually.js';

describe('kafkajs transactions on the embedded broker', () => {
  it('are read when committed, across topics and partitions, and never when aborted', async () => {
    const kafka = await start();
    const producer = await transactional(kafka);
    for (const [value, outcome] of [
      ['1', 'commit'],
      ['2', 'abort'],
      ['3', 'commit'],
    ] as const) {
      const transaction = await producer.transaction();
      await transaction.send({ topic: 'orders', messages: [{ partition: 0, value: `o${value}` }] });
      await transaction.send({ topic: 'bills', messages: [{ partition: 1, value: `b${value}` }] });
      await transaction[outcome]();
    }
    const plain = await connectedProducer(kafkaJs(kafka.brokers));
    await plain.send({ topic: 'orders', messages: [{ partition: 0, value: 'last' }] });

    const reader = await KafkaJsMember.join(kafkaJs(kafka.brokers), 'r', ['orders', 'bills']);
    await eventually(() => reader.values.includes('last') && reader.values.includes('b3'));
    expect(reader.values.sort()).toEqual(['b1', 'b3', 'last', 'o1', 'o3']);
  });

  it('hold back readers of committed records, and nobody else', async () => {
    const kafka = await start();
    const producer = await transactional(kafka);
    const transaction = await producer.transaction();
    await transaction.send({ topic: 'orders', messages: [{ partition: 0, value: 'open' }] });
    const plain = await connectedProducer(kafkaJs(kafka.brokers));
    await plain.send({
      topic: 'orders',
      messages: [
        { partition: 0, value: 'behind' },
        { partition: 1, value: 'beside' },
      ],
    });

    const committed = await KafkaJsMember.join(kafkaJs(kafka.brokers), 'committed', ['orders']);
    expect(await valuesReadUncommitted(kafka, 3)).toEqual(['behind', 'beside', 'open']);
    await eventually(() => committed.values.includes('beside'));
    expect(committed.values).toEqual(['beside']);
    await transaction.commit();
    await eventually(() => committed.values.length === 3);
    expect(committed.values).toEqual(['beside', 'open', 'behind']);
  });

  it('move the offsets of a group when they are committed, and only then', async () => {
    const kafka = await start();
    const producer = await transactional(kafka);
    const topics = [{ topic: 'orders', partitions: [{ partition: 0, offset: '7' }] }];
    const committed = () => kafka.group('shop')?.offsets.get('orders')?.get(0)?.offset;
    for (const [outcome, expected] of [
      ['abort', undefined],
      ['commit', 7n],
    ] as const) {
      const transaction = await producer.transaction();
      await transaction.sendOffsets({ consumerGroupId: 'shop', topics });
      expect(committed()).toBeUndefined();
      await transaction[outcome]();
      expect(committed()).toBe(expected);
    }
  });

  it('of a producer that was replaced are aborted, and it can neither send nor commit', async () => {
    const kafka = await start();
    const zombie = await transactional(kafka);
    const abandoned = await zombie.transaction();
    const from = (value: string) => ({ topic: 'orders', messages: [{ partition: 0, value }] });
    await abandoned.send(from('zombie'));

    const successor = await transactional(kafka);
    const transaction = await successor.transaction();
    await transaction.send(from('successor'));
    const fenced = { type: 'INVALID_PRODUCER_EPOCH' };
    await expect(abandoned.send(from('late'))).rejects.toMatchObject(fenced);
    await expect(abandoned.commit()).rejects.toMatchObject(fenced);
    await transaction.commit();

    const reader = await KafkaJsMember.join(kafkaJs(kafka.brokers), 'reader', ['orders']);
    await eventually(() => reader.values.length > 0);
    expect(reader.values).toEqual(['successor']);
    // Two records and a marker for each: what came late was not stored.
    expect(kafka.endOffsets('orders')).toEqual([4n, 0n]);
  });
});

function start(): Promise<EmbeddedKafka> {
  return startEmbeddedKafka({
    brokers: 2,
    topics: [
      { topic: 'orders', partitions: 2 },
      { topic: 'bills', partitions: 2 },
    ],
  });
}

/** All of them have one id: the next one replaces the last. */
async function transactional(kafka: EmbeddedKafka): Promise<Producer> {
  const producer = kafkaJs(kafka.brokers).producer({
    transactionalId: 'billing',
    idempotent: true,
    maxInFlightRequests: 1,
    retry: { retries: 2, initialRetryTime: 10 },
  });
  await producer.connect();
  onCleanup(() => producer.disconnect());
  return producer;
}

async function valuesReadUncommitted(kafka: EmbeddedKafka, count: number): Promise<string[]> {
  const consumer = kafkaJs(kafka.brokers).consumer({
    groupId: 'all',
    readUncommitted: true,
    maxWaitTimeInMs: 30,
  });
  onCleanup(() => consumer.disconnect());
  const values: string[] = [];
  await consumer.connect();
  await consumer.subscribe({ topics: ['orders'], fromBeginning: true });
  await consumer.run({
    eachMessage: async ({ message }) => {
      values.push(String(message.value));
    },
  });
  await eventually(() => values.length >= count);
  return values.sort();
}
