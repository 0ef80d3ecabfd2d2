import { describe, expect, it } from '@jest/globals';
import type { EmbeddedKafka } from '../../../lib/testing/embedded-kafka/embedded-kafka.js';
import {
  connectedProducer,
  kafkaJs,
  KafkaJsMember,
  startEmbeddedKafka,
} from '../../support/embedded-kafka.js';
import { eventually } from '../../support/eventually.js';
import { ManualClock } from '../../support/manual-clock.js';

const PARTITIONS = 10;

describe('kafkajs on EmbeddedKafka', () => {
  it('produces and consumes in a group, each record once, and goes on where it stopped', async () => {
    const kafka = await startEmbeddedKafka({ topics: [{ topic: 'orders', partitions: 3 }] });
    await produce(kafka, 'orders', 100);
    const member = await KafkaJsMember.join(kafkaJs(kafka.brokers), 'shop', ['orders']);
    await eventually(() => member.values.length === 100);
    await member.consumer.disconnect();
    expect(new Set(member.values).size).toBe(100);
    expect(kafka.group('shop')).toMatchObject({ state: 'Empty', members: [] });

    await produce(kafka, 'orders', 1, 'late');
    const next = await KafkaJsMember.join(kafkaJs(kafka.brokers), 'shop', ['orders']);
    await eventually(() => next.values.length > 0);
    expect(next.values).toEqual(['late-0']);
  });

  it('shares the partitions among 5 members, as they come and go', async () => {
    const kafka = await startEmbeddedKafka({
      brokers: 3,
      topics: [{ topic: 'orders', partitions: PARTITIONS }],
    });
    const members = await Promise.all(
      Array.from({ length: 5 }, () =>
        KafkaJsMember.join(kafkaJs(kafka.brokers), 'shop', ['orders']),
      ),
    );
    await eventually(() => sharesOf(members).every((share) => share === 2));
    expect(new Set(members.flatMap(({ partitions }) => partitions)).size).toBe(PARTITIONS);
    await produce(kafka, 'orders', 50);
    await eventually(() => members.flatMap(({ values }) => values).length === 50);

    const [leaver, ...rest] = members;
    await leaver?.consumer.disconnect();
    await eventually(() => sharesOf(rest).reduce((sum, share) => sum + share, 0) === PARTITIONS);
    expect(kafka.group('shop')?.members).toHaveLength(4);
    await produce(kafka, 'orders', 50, 'more');
    await eventually(() => {
      const values = rest.flatMap((member) => member.values);
      return values.filter((value) => value.startsWith('more')).length >= 50;
    });
  });

  it('consumes all topics that match a pattern', async () => {
    const kafka = await startEmbeddedKafka({
      topics: [{ topic: 'order-eu' }, { topic: 'order-us' }, { topic: 'stock' }],
    });
    for (const topic of ['order-eu', 'order-us', 'stock']) await produce(kafka, topic, 1, topic);
    const member = await KafkaJsMember.join(kafkaJs(kafka.brokers), 'shop', [/^order-/]);
    await eventually(() => member.values.length === 2);
    expect(member.values.sort()).toEqual(['order-eu-0', 'order-us-0']);
    expect(member.partitions.sort()).toEqual(['order-eu[0]', 'order-us[0]']);
  });

  it('shows committed transactions only, with their offsets', async () => {
    const kafka = await startEmbeddedKafka({ topics: [{ topic: 'orders' }, { topic: 'bills' }] });
    const producer = kafkaJs(kafka.brokers).producer({
      transactionalId: 'billing',
      idempotent: true,
      maxInFlightRequests: 1,
    });
    await producer.connect();
    for (const [outcome, offset] of [
      ['abort', '5'],
      ['commit', '7'],
    ] as const) {
      const transaction = await producer.transaction();
      await transaction.send({ topic: 'bills', messages: [{ value: outcome }] });
      const partitions = [{ partition: 0, offset }];
      const offsets = { consumerGroupId: 'billing', topics: [{ topic: 'orders', partitions }] };
      await transaction.sendOffsets(offsets);
      await transaction[outcome]();
      const committed = kafka.group('billing')?.offsets.get('orders')?.get(0)?.offset;
      expect(committed).toBe(outcome === 'commit' ? 7n : undefined);
    }
    await producer.disconnect();
    const member = await KafkaJsMember.join(kafkaJs(kafka.brokers), 'shop', ['bills']);
    await eventually(() => member.values.length > 0);
    expect(member.values).toEqual(['commit']);
  });

  it('makes a topic for a client that asks, where that is allowed', async () => {
    const kafka = await startEmbeddedKafka({ autoCreateTopics: true, defaultPartitions: 4 });
    await produce(kafka, 'new', 1);
    expect(kafka.endOffsets('new')).toHaveLength(4);

    const strict = await startEmbeddedKafka();
    const retry = { retries: 1, initialRetryTime: 1 };
    const producer = await connectedProducer(kafkaJs(strict.brokers, { retry }));
    const send = producer.send({ topic: 'new', messages: [{ value: '1' }] });
    await expect(send).rejects.toThrow('does not host this topic-partition');
  });

  it('expires a silent member when the manual clock says so', async () => {
    const clock = new ManualClock();
    const kafka = await startEmbeddedKafka({ clock, topics: [{ topic: 'orders' }] });
    // The swallowed heartbeat keeps its client waiting so long.
    const requestTimeout = 300;
    const members = [
      await KafkaJsMember.join(kafkaJs(kafka.brokers, { requestTimeout }), 'shop', ['orders']),
      await KafkaJsMember.join(kafkaJs(kafka.brokers, { requestTimeout }), 'shop', ['orders']),
    ];
    const [silent, other] = members;
    await eventually(() => kafka.group('shop')?.members.length === 2);
    await eventually(() => kafka.group('shop')?.state === 'Stable');
    const lost = silent?.memberId;
    const isOf = ({ memberId }: { memberId: string }) => memberId === lost;
    kafka.on('Heartbeat', (_request, control) => control.swallow(), {
      times: Infinity,
      when: isOf,
    });
    await eventually(() => {
      clock.advance(500);
      return kafka.group('shop')?.members.every((member) => !isOf(member));
    });
    await eventually(() => other?.partitions.length === 1);
  });
});

async function produce(
  kafka: EmbeddedKafka,
  topic: string,
  count: number,
  prefix = 'value',
): Promise<void> {
  const producer = await connectedProducer(kafkaJs(kafka.brokers));
  const messages = Array.from({ length: count }, (_, i) => ({
    key: String(i),
    value: `${prefix}-${String(i)}`,
  }));
  await producer.send({ topic, messages });
}

function sharesOf(members: readonly KafkaJsMember[]): number[] {
  return members.map(({ partitions }) => partitions.length);
}
