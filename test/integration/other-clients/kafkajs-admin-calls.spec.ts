import { describe, expect, it } from '@jest/globals';
import kafkajs, { type Admin } from 'kafkajs';
import type { EmbeddedKafka } from '../../../lib/testing/index.js';
import { onCleanup } from '../../support/cleanup.js';
import { connectedProducer, kafkaJs, startEmbeddedKafka } from '../../support/embedded-kafka.js';

const { AclOperationTypes, AclPermissionTypes, AclResourceTypes, ResourcePatternTypes } = kafkajs;

/** Those of topics, settings and groups are in test/unit/testing/embedded-kafka.admin.spec.ts. */
describe('kafkajs admin calls on the embedded broker', () => {
  it('show where a topic begins and ends, also by time', async () => {
    const { kafka, admin } = await start();
    await send(kafka, 0, ['1000', '2000', '3000']);
    await send(kafka, 1, ['1500']);
    const range = (partition: number, low: string, high: string) => ({
      partition,
      offset: high,
      low,
      high,
    });
    const inOrder = <T extends { partition: number }>(each: T[]) =>
      each.sort((a, b) => a.partition - b.partition);
    expect(inOrder(await admin.fetchTopicOffsets('orders'))).toEqual([
      range(0, '0', '3'),
      range(1, '0', '1'),
    ]);
    const at = async (time: number) =>
      inOrder(await admin.fetchTopicOffsetsByTimestamp('orders', time)).map(({ offset }) => offset);
    // Where nothing is as young, kafkajs answers the end.
    expect(await at(1200)).toEqual(['1', '0']);
    expect(await at(2500)).toEqual(['2', '1']);

    await admin.deleteTopicRecords({
      topic: 'orders',
      partitions: [{ partition: 0, offset: '2' }],
    });
    expect(inOrder(await admin.fetchTopicOffsets('orders'))[0]).toEqual(range(0, '2', '3'));
    await admin.deleteTopicRecords({
      topic: 'orders',
      partitions: [{ partition: 0, offset: '-1' }],
    });
    expect(inOrder(await admin.fetchTopicOffsets('orders'))[0]).toEqual(range(0, '3', '3'));
    const beyond = { topic: 'orders', partitions: [{ partition: 1, offset: '9' }] };
    await expect(admin.deleteTopicRecords(beyond)).rejects.toMatchObject({
      cause: { partitions: [{ error: { type: 'OFFSET_OUT_OF_RANGE' } }] },
    });
  });

  it('set, show and reset the offsets of a group', async () => {
    const { kafka, admin } = await start();
    await send(kafka, 0, ['1000', '2000']);
    const offsets = async (options = {}) => {
      const [topic] = await admin.fetchOffsets({ groupId: 'shop', topics: ['orders'], ...options });
      return topic?.partitions.map(({ offset }) => offset);
    };
    expect(await offsets()).toEqual(['-1', '-1']);
    const partitions = [{ partition: 0, offset: '1' }];
    await admin.setOffsets({ groupId: 'shop', topic: 'orders', partitions });
    expect(await offsets()).toEqual(['1', '-1']);
    const [all] = await admin.fetchOffsets({ groupId: 'shop' });
    expect(all).toMatchObject({ topic: 'orders', partitions });
    await admin.resetOffsets({ groupId: 'shop', topic: 'orders', earliest: true });
    expect(await offsets({ resolveOffsets: true })).toEqual(['0', '0']);
    await admin.deleteGroups(['shop']);
    expect((await admin.listGroups()).groups).toEqual([]);
    await expect(admin.deleteGroups(['shop'])).rejects.toMatchObject({
      groups: [{ error: { type: 'GROUP_ID_NOT_FOUND' } }],
    });
  });

  it('that the broker does not know fail at once, by name, and the client goes on', async () => {
    const { admin } = await start();
    const acl = {
      resourceType: AclResourceTypes.TOPIC,
      resourceName: 'orders',
      resourcePatternType: ResourcePatternTypes.LITERAL,
      principal: 'User:shop',
      host: '*',
      operation: AclOperationTypes.READ,
      permissionType: AclPermissionTypes.ALLOW,
    };
    const topics = [{ topic: 'orders', partitionAssignment: [{ partition: 0, replicas: [0] }] }];
    for (const refused of [
      () => admin.createAcls({ acl: [acl] }),
      () => admin.describeAcls(acl),
      () => admin.deleteAcls({ filters: [acl] }),
      () => admin.alterPartitionReassignments({ topics }),
      () => admin.listPartitionReassignments({}),
    ]) {
      await expect(refused()).rejects.toMatchObject({ name: 'KafkaJSServerDoesNotSupportApiKey' });
    }
    expect(await admin.listTopics()).toEqual(['orders']);
  });
});

async function start(): Promise<{ kafka: EmbeddedKafka; admin: Admin }> {
  const kafka = await startEmbeddedKafka({
    brokers: 2,
    topics: [{ topic: 'orders', partitions: 2 }],
  });
  const admin = kafkaJs(kafka.brokers).admin();
  await admin.connect();
  onCleanup(() => admin.disconnect());
  return { kafka, admin };
}

/** A record for each timestamp. */
async function send(kafka: EmbeddedKafka, partition: number, timestamps: string[]): Promise<void> {
  const producer = await connectedProducer(kafkaJs(kafka.brokers));
  const messages = timestamps.map((timestamp) => ({ partition, value: timestamp, timestamp }));
  await producer.send({ topic: 'orders', messages });
}
