import { once } from 'node:events';
import { connect, createServer, type AddressInfo } from 'node:net';
import { describe, expect, it } from '@jest/globals';
import { EmbeddedKafka, type EmbeddedKafkaOptions } from '../../../lib/testing/index.js';
import { kafkaJs, startEmbeddedKafka } from '../../support/embedded-kafka.js';
import { eventually } from '../../support/eventually.js';

const STARTS = 9;

describe('EmbeddedKafka.start and stop', () => {
  it('answers metadata within 50 ms of the start', async () => {
    const tookMs: number[] = [];
    for (let start = 0; start < STARTS; start++) tookMs.push(await startToMetadataMs());
    // Of several: the first of a process also loads and compiles, and a busy machine delays some.
    expect(median(tookMs)).toBeLessThan(50);
  });

  it('keeps several instances apart', async () => {
    const [one, two] = await Promise.all([
      startEmbeddedKafka({ topics: [{ topic: 'one' }] }),
      startEmbeddedKafka({ topics: [{ topic: 'two' }] }),
    ]);
    expect(one.endOffsets('one')).toEqual([0n]);
    expect(() => one.endOffsets('two')).toThrow('UNKNOWN_TOPIC_OR_PARTITION');
    expect(two.brokers).not.toEqual(one.brokers);
  });

  it('listens on given ports, and tells of one that is taken', async () => {
    const port = await freePort();
    const kafka = await startEmbeddedKafka({ ports: [port] });
    expect(kafka.brokers).toEqual([`127.0.0.1:${String(port)}`]);
    await expect(EmbeddedKafka.start({ brokers: 2, ports: [port] })).rejects.toThrow('EADDRINUSE');
    await kafka.stop();
    const again = await startEmbeddedKafka({ ports: [port] });
    expect(again.brokers).toEqual(kafka.brokers);
  });

  it('stops in the middle of everything, more than once, and leaves nothing behind', async () => {
    const before = resources();
    const kafka = await EmbeddedKafka.start({ brokers: 3, topics: [{ topic: 'orders' }] });
    const sockets = kafka.brokers.map((broker) => connect(Number(broker.split(':')[1])));
    const ends = sockets.map((socket) => once(socket, 'close'));
    await Promise.all(sockets.map((socket) => once(socket, 'connect')));
    // A group with a member has a session timer.
    const consumer = kafkaJs(kafka.brokers, { retry: { retries: 0 } }).consumer({ groupId: 'g' });
    await consumer.connect();
    await consumer.subscribe({ topic: 'orders' });
    await consumer.run({ eachMessage: async () => undefined });
    await eventually(() => kafka.group('g')?.state === 'Stable');

    await Promise.all([kafka.stop(), kafka.stop()]);
    await kafka[Symbol.asyncDispose]();
    for (const socket of sockets) socket.resume();
    await Promise.all(ends);
    await consumer.disconnect();
    await eventually(() => {
      expect(resources()).toEqual(before);
      return true;
    });
  });

  it.each<[EmbeddedKafkaOptions, string]>([
    [{ brokers: 0 }, 'brokers: must be an integer from 1, got 0'],
    [{ ports: [1, 2] }, 'ports: more of them than brokers'],
    [{ defaultPartitions: Number.NaN }, 'defaultPartitions: must be an integer from 1, got NaN'],
    [{ topics: [{ topic: 'a', partitions: 1.5 }] }, 'topics: partitions of a: must be an integer'],
    [{ maxRequestBytes: 0 }, 'maxRequestBytes: must be'],
    [{ groupMinSessionTimeoutMs: -1 }, 'groupMinSessionTimeoutMs: must be'],
    [{ listeners: [{ name: 'a' }, { name: 'a' }] }, 'listeners: two have the same name'],
    [{ listeners: [{ name: 'a', tls: { key: 'no', cert: 'PEM' } }] }, 'listeners: a has a tls.key'],
    [
      { listeners: [{ name: 'a', sasl: { mechanisms: ['GSSAPI' as 'PLAIN'], users: {} } }] },
      'listeners: a offers GSSAPI, which is none of PLAIN, SCRAM-SHA-256, SCRAM-SHA-512',
    ],
  ])('refuses %j', async (options, problem) => {
    const starting = EmbeddedKafka.start(options);
    await expect(starting).rejects.toThrow(problem);
    await expect(starting).rejects.toThrow(RangeError);
  });

  it('refuses what fits nothing, by name', async () => {
    const kafka = await startEmbeddedKafka({ brokers: 2, topics: [{ topic: 'a' }] });
    await kafka.stopBroker(1);
    expect(() => kafka.brokersOf('other')).toThrow('there is no listener other');
    expect(() => {
      kafka.createTopic({ topic: 'b', configs: { 'retention.ms': 'soon' } });
    }).toThrow('INVALID_CONFIG');
    expect(() => {
      kafka.moveLeader('a', 0, 1);
    }).toThrow('broker 1 is down');
    expect(() => {
      kafka.moveCoordinator('g', 2);
    }).toThrow('there is no broker 2');
    expect(() => {
      kafka.expireMember('g');
    }).toThrow('GROUP_ID_NOT_FOUND');
    expect(() => {
      kafka.truncate('a', 0, -1);
    }).toThrow('there is no offset -1');
    expect(() => kafka.on('Comit' as 'OffsetCommit', (_, { pass }) => pass())).toThrow(
      'there is no request Comit',
    );
  });

  it('leaves a broker alone that is up, and starts none once it is stopped', async () => {
    const kafka = await startEmbeddedKafka();
    await kafka.startBroker(0);
    await kafka.stop();
    await expect(kafka.startBroker(0)).rejects.toThrow('was stopped');
    await kafka.stop();
  });
});

/** With all that kafkajs takes to connect and ask. */
async function startToMetadataMs(): Promise<number> {
  const startedAt = performance.now();
  const kafka = await EmbeddedKafka.start({ topics: [{ topic: 'orders', partitions: 3 }] });
  const admin = kafkaJs(kafka.brokers).admin();
  await admin.connect();
  const { topics } = await admin.fetchTopicMetadata({ topics: ['orders'] });
  const tookMs = performance.now() - startedAt;
  expect(topics[0]?.partitions).toHaveLength(3);
  await admin.disconnect();
  await kafka.stop();
  return tookMs;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

function resources(): string[] {
  const ours = ['TCPServerWrap', 'TCPSocketWrap', 'Timeout'];
  return process.getActiveResourcesInfo().filter((name) => ours.includes(name));
}
