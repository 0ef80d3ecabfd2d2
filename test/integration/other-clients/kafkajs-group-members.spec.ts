import { describe, expect, it } from '@jest/globals';
import type { EmbeddedKafka } from '../../../lib/testing/index.js';
import {
  connectedProducer,
  kafkaJs,
  KafkaJsMember,
  startEmbeddedKafka,
} from '../../support/embedded-kafka.js';
import { eventually } from '../../support/eventually.js';

const PARTITIONS = 10;
const RECORDS = 40;

describe('members of a kafkajs group on the embedded broker', () => {
  it('come and go: whoever is there shares all partitions and gets each record once', async () => {
    const kafka = await startEmbeddedKafka({
      brokers: 3,
      topics: [{ topic: 'orders', partitions: PARTITIONS }],
    });
    const producer = await connectedProducer(kafkaJs(kafka.brokers));
    const everyone: KafkaJsMember[] = [];
    let present: KafkaJsMember[] = [];

    for (const [phase, count] of [1, 3, 5, 4, 2, 5].entries()) {
      const leaving = present.slice(count);
      present = present.slice(0, count);
      const missing = Array.from({ length: count - present.length }, () =>
        KafkaJsMember.join(kafkaJs(kafka.brokers), 'shop', ['orders']),
      );
      const [joining] = await Promise.all([
        Promise.all(missing),
        ...leaving.map((member) => member.consumer.disconnect()),
      ]);
      present.push(...joining);
      everyone.push(...joining);
      await eventually(() => shareAll(kafka, present));

      const values = Array.from({ length: RECORDS }, (_, i) => `${phase}-${i}`);
      await producer.send({ topic: 'orders', messages: values.map((value) => ({ value })) });
      await eventually(() => everythingIsCommitted(kafka));
      const ofPhase = (member: KafkaJsMember) =>
        member.values.filter((value) => values.includes(value));
      expect(present.flatMap(ofPhase).sort()).toEqual([...values].sort());
    }

    const all = everyone.flatMap(({ values }) => values);
    expect([all.length, new Set(all).size]).toEqual([6 * RECORDS, 6 * RECORDS]);
    expect(everyone.flatMap(({ crashes }) => crashes)).toEqual([]);
  }, 60_000);

  it('see topics that match their pattern when they subscribe, and later ones when they come again', async () => {
    const kafka = await startEmbeddedKafka({ topics: [{ topic: 'order-eu' }, { topic: 'stock' }] });
    const first = await KafkaJsMember.join(kafkaJs(kafka.brokers), 'shop', [/^order-/]);
    await eventually(() => first.joins === 1);
    kafka.createTopic({ topic: 'order-us' });
    kafka.triggerRebalance('shop');
    // kafkajs looks for topics once, in subscribe.
    await eventually(() => first.joins === 2);
    expect(first.partitions).toEqual(['order-eu[0]']);
    await first.consumer.disconnect();

    const next = await KafkaJsMember.join(kafkaJs(kafka.brokers), 'shop', [/^order-/]);
    await eventually(() => next.joins === 1);
    expect(next.partitions.sort()).toEqual(['order-eu[0]', 'order-us[0]']);
  });
});

/** Whether these are the group, and each partition was given to one of them. */
function shareAll(kafka: EmbeddedKafka, members: readonly KafkaJsMember[]): boolean {
  const group = kafka.group('shop');
  const ids = new Set(group?.members.map(({ memberId }) => memberId));
  const partitions = members.flatMap((member) => member.partitions);
  return (
    group?.state === 'Stable' &&
    ids.size === members.length &&
    members.every((member) => ids.has(member.memberId) && member.partitions.length > 0) &&
    partitions.length === PARTITIONS &&
    new Set(partitions).size === PARTITIONS
  );
}

function everythingIsCommitted(kafka: EmbeddedKafka): boolean {
  const committed = kafka.group('shop')?.offsets.get('orders');
  return kafka
    .endOffsets('orders')
    .every((end, partition) => end === (committed?.get(partition)?.offset ?? 0n));
}
