import { describe, expect, it, jest } from '@jest/globals';
import type { Producer } from 'kafkajs';
import type { EmbeddedKafka } from '../../../lib/testing/embedded-kafka/embedded-kafka.js';
import { onCleanup } from '../../support/cleanup.js';
import {
  connectedProducer,
  kafkaJs,
  KafkaJsMember,
  startEmbeddedKafka,
} from '../../support/embedded-kafka.js';
import { eventually } from '../../support/eventually.js';

const NO_RETRY = { retries: 0 };

describe('faults of single requests', () => {
  it('fails once, then lets pass', async () => {
    const { kafka, admin } = await start();
    const fault = kafka.on('CreateTopics', (_request, control) => control.fail('POLICY_VIOLATION'));
    const create = () => admin.createTopics({ topics: [{ topic: 'a' }] });
    await expect(create()).rejects.toMatchObject({ errors: [{ type: 'POLICY_VIOLATION' }] });
    expect(fault.hits).toBe(1);
    await expect(create()).resolves.toBe(true);
    expect(fault.hits).toBe(1);
  });

  it('fails so many times, or until it is removed', async () => {
    const { kafka, admin } = await start();
    const list = () =>
      admin.listGroups().then(
        () => 'listed',
        () => 'refused',
      );
    const fail = { times: 2 };
    kafka.on('ListGroups', (_request, control) => control.fail('UNKNOWN_SERVER_ERROR'), fail);
    expect([await list(), await list(), await list()]).toEqual(['refused', 'refused', 'listed']);

    const forEver = { times: Infinity };
    const fault = kafka.on('ListGroups', (_r, control) => control.fail('NOT_COORDINATOR'), forEver);
    expect([await list(), await list(), await list()]).toEqual(['refused', 'refused', 'refused']);
    fault.remove();
    fault.remove();
    expect([await list(), fault.hits]).toEqual(['listed', 3]);
  });

  it('strikes only what it is told to', async () => {
    const { kafka, producer } = await start({ brokers: 2 });
    const wrongBroker = kafka.on(
      'Produce',
      (_request, control) => control.fail('CORRUPT_MESSAGE'),
      {
        nodeId: 1,
      },
    );
    const wrongTopic = kafka.on('Produce', (_request, control) => control.fail('CORRUPT_MESSAGE'), {
      when: ({ topics }) => topics.some(({ topic }) => topic === 'bills'),
    });
    const passing = kafka.on('Produce', (_request, control) => control.pass());
    await send(producer, 0);
    expect([wrongBroker.hits, wrongTopic.hits, passing.hits]).toEqual([0, 0, 0]);
    await expect(send(producer, 1)).rejects.toThrow();
    expect(wrongBroker.hits).toBe(1);
  });

  it('tries faults in the order in which they were armed', async () => {
    const { kafka, admin } = await start();
    const first = kafka.on('ListGroups', (_request, control) => control.pass());
    const second = kafka.on('ListGroups', (_request, control) =>
      control.answer({ errorCode: 0, groups: [{ groupId: 'made up', protocolType: 'x' }] }),
    );
    const { groups } = await admin.listGroups();
    expect(groups).toEqual([{ groupId: 'made up', protocolType: 'x' }]);
    expect([first.hits, second.hits]).toEqual([0, 1]);
  });

  it('swallows: the client gives up waiting', async () => {
    const { kafka, producer } = await start({ requestTimeout: 200 });
    const fault = kafka.on('Produce', (_request, control) => control.swallow());
    await expect(send(producer)).rejects.toThrow('timed out');
    expect([fault.hits, kafka.endOffsets('orders')[0]]).toEqual([1, 0n]);
    await send(producer);
    expect(kafka.endOffsets('orders')[0]).toBe(1n);
  });

  it('delays', async () => {
    const { kafka, producer } = await start();
    kafka.on('Produce', (_request, control) => control.delay(80));
    const startedAt = performance.now();
    await send(producer);
    expect(performance.now() - startedAt).toBeGreaterThan(75);
    expect(kafka.endOffsets('orders')[0]).toBe(1n);
  });

  it('closes the connection; the client comes back', async () => {
    const { kafka, producer } = await start();
    kafka.on('Produce', (_request, control) => control.closeConnection());
    await expect(send(producer)).rejects.toThrow('Closed connection');
    expect(kafka.endOffsets('orders')[0]).toBe(0n);
    await send(producer);
    expect(kafka.endOffsets('orders')[0]).toBe(1n);
  });

  it('loses the answer to what was done', async () => {
    const { kafka, producer } = await start();
    kafka.on('Produce', async (_request, control) => {
      await control.handle();
      return control.closeConnection();
    });
    await expect(send(producer)).rejects.toThrow('Closed connection');
    expect(kafka.endOffsets('orders')[0]).toBe(1n);
  });

  it('answers -1 when the handler of a fault throws', async () => {
    const { kafka, admin } = await start();
    const warned = jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
    onCleanup(() => {
      warned.mockRestore();
    });
    kafka.on('ListGroups', () => {
      throw new Error('a mistake in a test');
    });
    await expect(admin.listGroups()).rejects.toMatchObject({ type: 'UNKNOWN' });
    expect(warned.mock.lastCall?.[0]).toBe('a mistake in a test');
  });

  it('refuses a commit: the consumer joins again and reads again', async () => {
    const { kafka, producer } = await start();
    const member = await KafkaJsMember.join(kafkaJs(kafka.brokers), 'shop', ['orders']);
    await eventually(() => member.joins === 1);
    const fault = kafka.on('OffsetCommit', (_request, control) =>
      control.fail('ILLEGAL_GENERATION'),
    );
    await send(producer);
    await eventually(() => member.joins === 2 && member.values.length === 2);
    expect(fault.hits).toBe(1);
    await eventually(() => kafka.group('shop')?.offsets.get('orders')?.get(0)?.offset === 1n);
  });
});

describe('faults of one partition', () => {
  it('fails a produce there and stores the rest', async () => {
    const { kafka, producer } = await start();
    const partition = { topic: 'orders', partition: 1 };
    const fault = kafka.failProduce(partition, 'NOT_ENOUGH_REPLICAS');
    const messages = [0, 1, 2].map((to) => ({ partition: to, value: String(to) }));
    const sent = producer.send({ topic: 'orders', messages });
    await expect(sent).rejects.toMatchObject({ cause: { type: 'NOT_ENOUGH_REPLICAS' } });
    expect([fault.hits, kafka.endOffsets('orders')]).toEqual([1, [1n, 0n, 1n]]);
  });

  it('fails a fetch there and reads the rest', async () => {
    const { kafka, producer } = await start();
    await Promise.all([0, 1, 2].map((partition) => send(producer, partition)));
    const partition = { topic: 'orders', partition: 1 };
    const fault = kafka.failFetch(partition, 'NOT_LEADER_OR_FOLLOWER', { times: 2 });
    const member = await KafkaJsMember.join(kafkaJs(kafka.brokers), 'shop', ['orders']);
    await eventually(() => new Set(member.values).size === 3);
    expect(fault.hits).toBe(2);
  });
});

describe('verbs of the cluster', () => {
  it('triggers a rebalance', async () => {
    const { kafka } = await start();
    const member = await KafkaJsMember.join(kafkaJs(kafka.brokers), 'shop', ['orders']);
    await eventually(() => member.joins === 1);
    const generation = kafka.group('shop')?.generationId ?? NaN;
    kafka.triggerRebalance('shop');
    await eventually(() => member.joins === 2);
    expect(kafka.group('shop')?.generationId).toBe(generation + 1);
    expect(() => {
      kafka.triggerRebalance('nobody');
    }).toThrow('GROUP_ID_NOT_FOUND');
  });

  it('expires a member, which joins anew under another id', async () => {
    const { kafka } = await start();
    const member = await KafkaJsMember.join(kafkaJs(kafka.brokers), 'shop', ['orders']);
    await eventually(() => member.joins === 1);
    const { memberId } = member;
    kafka.expireMember('shop', memberId);
    await eventually(() => member.joins === 2);
    expect(member.memberId).not.toBe(memberId);
  });

  it('moves a leader: producer and consumer follow', async () => {
    const { kafka, producer } = await start({ brokers: 2 });
    const member = await KafkaJsMember.join(kafkaJs(kafka.brokers), 'shop', ['orders']);
    await send(producer);
    await eventually(() => member.values.length === 1);
    kafka.moveLeader('orders', 0, 1);
    const patient = await connectedProducer(kafkaJs(kafka.brokers));
    kafka.moveLeader('orders', 0, 0);
    kafka.moveLeader('orders', 0, 1);
    await send(patient, 0, 'after the move');
    // kafkajs joins again for a moved leader, and may read again what it had not committed.
    await eventually(() => member.values.includes('after the move'));
    expect(kafka.requestsOf('Produce').at(-1)?.nodeId).toBe(1);
  });

  it('moves a coordinator: members follow and stay in their generation', async () => {
    const { kafka } = await start({ brokers: 2 });
    kafka.moveCoordinator('shop', 0);
    const member = await KafkaJsMember.join(kafkaJs(kafka.brokers), 'shop', ['orders']);
    await eventually(() => member.joins === 1);
    kafka.moveCoordinator('shop', 1);
    const heartbeatsAtNew = () =>
      kafka.requestsOf('Heartbeat').filter(({ nodeId }) => nodeId === 1);
    await eventually(() => heartbeatsAtNew().length > 2);
    expect(kafka.group('shop')?.state).toBe('Stable');
  });

  it('stops a broker and starts it again, on its port and with its log', async () => {
    const { kafka } = await start({ brokers: 2 });
    const { brokers } = kafka;
    const producer = await connectedProducer(kafkaJs(brokers));
    await send(producer);
    await kafka.stopBroker(0);
    await send(producer);
    expect(kafka.requestsOf('Produce').map(({ nodeId }) => nodeId)).toEqual([0, 1]);
    await kafka.startBroker(0);
    await kafka.stopBroker(1);
    await send(producer);
    expect(kafka.brokers).toEqual(brokers);
    const member = await KafkaJsMember.join(kafkaJs(brokers), 'shop', ['orders']);
    await eventually(() => member.values.length === 3);
  });

  it('survives that its only broker is away for a while', async () => {
    const { kafka } = await start();
    const producer = await connectedProducer(kafkaJs(kafka.brokers));
    const member = await KafkaJsMember.join(kafkaJs(kafka.brokers), 'shop', ['orders']);
    await send(producer);
    await eventually(() => member.values.length === 1);
    await kafka.stopBroker(0);
    const sending = send(producer);
    await kafka.startBroker(0);
    await sending;
    await eventually(() => member.values.length >= 2);
  });

  it('truncates a log', async () => {
    const { kafka, producer } = await start();
    for (let i = 0; i < 3; i++) await send(producer);
    kafka.truncate('orders', 0, 1);
    expect(kafka.endOffsets('orders')).toEqual([1n, 0n, 0n]);
  });
});

describe('the log of requests', () => {
  it('keeps what clients asked, decoded', async () => {
    const { kafka, producer } = await start();
    await send(producer);
    const [logged] = kafka.requestsOf('Produce');
    expect(logged).toMatchObject({ api: 'Produce', version: 7, nodeId: 0, listener: 'plain' });
    expect(logged?.clientId).toBe('embedded-test');
    expect(logged?.request.topics[0]).toMatchObject({
      topic: 'orders',
      partitions: [{ partition: 0 }],
    });
    expect(kafka.requests.map(({ api }) => api)).toContain('Metadata');
    kafka.clearRequests();
    expect(kafka.requests).toEqual([]);
  });
});

async function start({ brokers = 1, requestTimeout = 5000 } = {}) {
  const kafka: EmbeddedKafka = await startEmbeddedKafka({
    brokers,
    topics: [{ topic: 'orders', partitions: 3 }],
  });
  const client = kafkaJs(kafka.brokers, { retry: NO_RETRY, requestTimeout });
  const admin = client.admin();
  await admin.connect();
  onCleanup(() => admin.disconnect());
  return { kafka, admin, producer: await connectedProducer(client) };
}

function send(producer: Producer, partition = 0, value = String(partition)): Promise<unknown> {
  return producer.send({ topic: 'orders', messages: [{ partition, value }] });
}
