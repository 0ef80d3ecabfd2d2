import { describe, expect, it } from '@jest/globals';
import kafkajs, { type Admin } from 'kafkajs';
import type { EmbeddedKafka } from '../../../lib/testing/embedded-kafka/embedded-kafka.js';
import { onCleanup } from '../../support/cleanup.js';
import { kafkaJs, KafkaJsMember, startEmbeddedKafka } from '../../support/embedded-kafka.js';
import { eventually } from '../../support/eventually.js';

const { ConfigResourceTypes } = kafkajs;

describe('kafkajs admin on EmbeddedKafka', () => {
  it('creates, grows, lists and deletes topics', async () => {
    const { admin, kafka } = await adminOf({ brokers: 2 });
    const orders = { topic: 'orders', numPartitions: 2 };
    expect(await admin.createTopics({ topics: [orders] })).toBe(true);
    expect(await admin.createTopics({ topics: [orders] })).toBe(false);
    await admin.createPartitions({ topicPartitions: [{ topic: 'orders', count: 4 }] });
    expect(kafka.endOffsets('orders')).toHaveLength(4);
    const { topics } = await admin.fetchTopicMetadata({ topics: ['orders'] });
    expect(topics[0]?.partitions.map(({ leader }) => leader).sort()).toEqual([0, 0, 1, 1]);
    expect(await admin.listTopics()).toEqual(['orders']);
    await admin.deleteTopics({ topics: ['orders'] });
    expect(await admin.listTopics()).toEqual([]);
  });

  it('puts leaders where they are assigned', async () => {
    const { admin } = await adminOf({ brokers: 3 });
    const replicaAssignment = [
      { partition: 0, replicas: [2, 0] },
      { partition: 1, replicas: [1] },
    ];
    await admin.createTopics({ topics: [{ topic: 'orders', replicaAssignment }] });
    const { topics } = await admin.fetchTopicMetadata({ topics: ['orders'] });
    expect(topics[0]?.partitions.map(({ leader }) => leader)).toEqual([2, 1]);
  });

  it.each([
    ['a name Kafka refuses', { topic: 'no spaces' }, 'INVALID_TOPIC_EXCEPTION'],
    ['no partitions', { topic: 'a', numPartitions: 0 }, 'INVALID_PARTITIONS'],
    ['too many replicas', { topic: 'a', replicationFactor: 2 }, 'INVALID_REPLICATION_FACTOR'],
    [
      'an unknown setting',
      { topic: 'a', configEntries: [{ name: 'retention.mss', value: '1' }] },
      'INVALID_CONFIG',
    ],
    [
      'a replica that is no broker',
      { topic: 'a', replicaAssignment: [{ partition: 0, replicas: [7] }] },
      'INVALID_REPLICA_ASSIGNMENT',
    ],
  ])('refuses %s', async (_what, topic, type) => {
    const { admin } = await adminOf();
    const created = admin.createTopics({ topics: [topic] });
    await expect(created).rejects.toMatchObject({ errors: [{ type }] });
    expect(await admin.listTopics()).toEqual([]);
  });

  it('validates without doing', async () => {
    const { admin, kafka } = await adminOf();
    await admin.createTopics({
      validateOnly: true,
      waitForLeaders: false,
      topics: [{ topic: 'a' }],
    });
    expect(await admin.listTopics()).toEqual([]);
    kafka.createTopic({ topic: 'a' });
    const topicPartitions = [{ topic: 'a', count: 3 }];
    await admin.createPartitions({ validateOnly: true, topicPartitions });
    expect(kafka.endOffsets('a')).toHaveLength(1);
    await expect(
      admin.createPartitions({ validateOnly: true, topicPartitions: [{ topic: 'a', count: 1 }] }),
    ).rejects.toMatchObject({ type: 'INVALID_PARTITIONS' });
  });

  it('describes and alters settings', async () => {
    const { admin, kafka } = await adminOf();
    kafka.createTopic({ topic: 'orders', configs: { 'retention.ms': '1000' } });
    expect(await topicConfig(admin, 'retention.ms')).toMatchObject({
      configValue: '1000',
      isDefault: false,
    });
    const resource = { type: ConfigResourceTypes.TOPIC, name: 'orders' };
    const configEntries = [{ name: 'max.message.bytes', value: '2000' }];
    await admin.alterConfigs({
      validateOnly: false,
      resources: [{ ...resource, configEntries }],
    });
    expect(await topicConfig(admin, 'max.message.bytes')).toMatchObject({ configValue: '2000' });
    // What is not named returns to its default.
    expect(await topicConfig(admin, 'retention.ms')).toMatchObject({ isDefault: true });
    const broker = await admin.describeConfigs({
      includeSynonyms: false,
      resources: [{ type: ConfigResourceTypes.BROKER, name: '0' }],
    });
    expect(broker.resources[0]?.configEntries).toContainEqual(
      expect.objectContaining({ configName: 'num.partitions', configValue: '1' }),
    );
  });

  it('describes the cluster and its groups', async () => {
    const { admin, kafka } = await adminOf({ brokers: 2, topics: [{ topic: 'orders' }] });
    const { brokers, controller } = await admin.describeCluster();
    expect(brokers.map(({ host, port }) => `${host}:${String(port)}`)).toEqual(kafka.brokers);
    expect(controller).toBe(0);
    const member = await KafkaJsMember.join(kafkaJs(kafka.brokers), 'shop', ['orders']);
    await eventually(() => member.joins > 0);
    expect((await admin.listGroups()).groups).toEqual([
      { groupId: 'shop', protocolType: 'consumer' },
    ]);
    const { groups } = await admin.describeGroups(['shop']);
    expect(groups[0]).toMatchObject({ state: 'Stable', members: [{ memberId: member.memberId }] });
    await expect(admin.deleteGroups(['shop'])).rejects.toMatchObject({
      groups: [{ error: { type: 'NON_EMPTY_GROUP' } }],
    });
    await member.consumer.disconnect();
    await admin.deleteGroups(['shop']);
    expect(kafka.group('shop')).toBeUndefined();
  });
});

async function adminOf(
  options: Parameters<typeof startEmbeddedKafka>[0] = {},
): Promise<{ admin: Admin; kafka: EmbeddedKafka }> {
  const kafka = await startEmbeddedKafka(options);
  const admin = kafkaJs(kafka.brokers).admin();
  await admin.connect();
  onCleanup(() => admin.disconnect());
  return { admin, kafka };
}

async function topicConfig(admin: Admin, name: string): Promise<unknown> {
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: [{ type: ConfigResourceTypes.TOPIC, name: 'orders', configNames: [name] }],
  });
  expect(resources[0]?.configEntries).toHaveLength(1);
  return resources[0]?.configEntries[0];
}
