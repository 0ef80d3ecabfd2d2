import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import {
  afterAll,
  afterEach,
  beforeAll,
  beforeEach,
  describe,
  expect,
  it,
  jest,
} from '@jest/globals';
import fc from 'fast-check';
import kafkajs from 'kafkajs';
import { EmbeddedKafka } from '../../../lib/testing/embedded-kafka/embedded-kafka.js';
import { WireReader } from '../../../lib/testing/embedded-kafka/wire/wire-reader.js';
import { WireWriter } from '../../../lib/testing/embedded-kafka/wire/wire-writer.js';
import { onCleanup } from '../../support/cleanup.js';
import { kafkaJs, KafkaJsMember } from '../../support/embedded-kafka.js';
import { eventually } from '../../support/eventually.js';

const { ConfigResourceTypes } = kafkajs;
const MAX_REQUEST_BYTES = 64 * 1024;
const API_VERSIONS = 18;

let kafka: EmbeddedKafka;

beforeAll(async () => {
  kafka = await EmbeddedKafka.start({
    maxRequestBytes: MAX_REQUEST_BYTES,
    topics: [{ topic: 'orders', partitions: 2 }],
  });
});
afterAll(() => kafka.stop());

/** The broker warns when a handler threw what is not of the protocol. */
let warned: jest.SpiedFunction<typeof process.emitWarning>;
beforeEach(() => {
  warned = jest.spyOn(process, 'emitWarning');
});
afterEach(() => {
  const warnings = warned.mock.calls.map(([text]) => text);
  warned.mockRestore();
  expect(warnings).toEqual([]);
});

describe('bad input', () => {
  it.each([
    ['a negative length', int32(-1)],
    ['a length beyond the limit', int32(MAX_REQUEST_BYTES + 1)],
    ['the greatest length', int32(0x7fffffff)],
    ['an empty request', int32(0)],
    ['half a header', framed(int32(1))],
    ['an unknown key', framed(header(999, 0))],
    ['a negative key', framed(header(-1, 0))],
    ['an old version', framed(header(0, 2))],
    ['a new version', framed(header(3, 12))],
    ['no body', framed(header(3, 6))],
    ['a longer array than there is', framed(Buffer.concat([header(3, 6), int32(0x7fffffff)]))],
    ['a longer string than there is', framed(Buffer.concat([header(17, 1), int16(0x7fff)]))],
    ['another protocol', Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')],
  ])('hangs up on %s', async (_what, bytes) => {
    const socket = await connected();
    const answer = collected(socket);
    socket.write(bytes);
    await once(socket, 'close');
    expect(answer()).toHaveLength(0);
    await expectAlive();
  });

  it.each([3, 4, 127])('answers ApiVersions %i in version 0, with error 35', async (version) => {
    const socket = await connected();
    const answer = collected(socket);
    // What a flexible header and body bring along is none of version 0's business.
    const tail = Buffer.from([0, 4, 97, 98, 99, 2, 49, 0]);
    socket.write(framed(Buffer.concat([header(API_VERSIONS, version, 77), tail])));
    await eventually(() => answer().length > 4 && answer().length >= answer().readInt32BE() + 4);
    const reader = new WireReader(answer());
    expect([reader.int32() > 0, reader.int32(), reader.int16()]).toEqual([true, 77, 35]);
    const apis = reader.array(() => [reader.int16(), reader.int16(), reader.int16()]);
    expect(apis).toContainEqual([API_VERSIONS, 0, 2]);
    expect(reader.remaining).toBe(0);
    // The client asks again on the same connection.
    const before = answer().length;
    socket.write(framed(header(API_VERSIONS, 0, 78)));
    await eventually(() => answer().length > before);
  });

  it('waits for the rest of a frame that comes byte by byte, and answers it', async () => {
    const socket = await connected();
    const answer = collected(socket);
    for (const byte of framed(header(API_VERSIONS, 0))) {
      socket.write(Buffer.of(byte));
      await new Promise(setImmediate);
    }
    await eventually(() => answer().length > 0);
  });

  it('answers in the order of the requests, though they come at once', async () => {
    const socket = await connected();
    const answer = collected(socket);
    const ids = Array.from({ length: 100 }, (_, i) => i);
    socket.write(Buffer.concat(ids.map((id) => framed(header(API_VERSIONS, 0, id)))));
    const seen = await eventually(() => {
      const correlationIds = framesIn(answer()).map((frame) => frame.readInt32BE());
      return correlationIds.length === ids.length && correlationIds;
    });
    expect(seen).toEqual(ids);
  });

  it('stops reading from a client that does not read its answers', async () => {
    const socket = await connected();
    const requests = Array.from({ length: 10_000 }, () => framed(header(API_VERSIONS, 0)));
    const many = Buffer.concat(requests);
    const before = process.memoryUsage().arrayBuffers;
    // Answered in full, this would be some 180 MiB.
    for (let i = 0; i < 100; i++) socket.write(many);
    let last = -1;
    await eventually(
      () => {
        const unread = socket.writableLength;
        const standsStill = unread === last;
        last = unread;
        return standsStill;
      },
      { intervalMs: 100 },
    );
    expect(socket.writableLength).toBeGreaterThan(0);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(32 * 2 ** 20);
    await expectAlive();
  });

  it('lives through random bytes', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async (bytes) => {
        await throwAt(Buffer.from(bytes));
      }),
      { numRuns: 100 },
    );
    await expectAlive();
  });

  it('lives through random bodies of every request', async () => {
    const key = fc.constantFrom(...Array.from({ length: 43 }, (_, i) => i));
    const version = fc.integer({ min: 0, max: 11 });
    const body = fc.uint8Array({ maxLength: 200 });
    await fc.assert(
      fc.asyncProperty(key, version, body, async (apiKey, apiVersion, bytes) => {
        await throwAt(framed(Buffer.concat([header(apiKey, apiVersion), Buffer.from(bytes)])));
      }),
      { numRuns: 300 },
    );
    await expectAlive();
  });

  it('lives through real requests that are cut or changed on their way', async () => {
    const corpus = await recordedRequests();
    expect(corpus.length).toBeGreaterThanOrEqual(15);
    const flip = fc.record({ at: fc.nat(), to: fc.integer({ min: 0, max: 255 }) });
    const mutation = fc.record({
      of: fc.constantFrom(...corpus),
      cutAt: fc.option(fc.nat()),
      flips: fc.array(flip, { maxLength: 4 }),
    });
    await fc.assert(
      fc.asyncProperty(mutation, async ({ of, cutAt, flips }) => {
        const frame = Buffer.from(of.subarray(0, cutAt === null ? of.length : cutAt % of.length));
        for (const { at, to } of flips) if (frame.length > 0) frame[at % frame.length] = to;
        await throwAt(framed(frame));
      }),
      { numRuns: 300 },
    );
    await expectAlive();
  });
});

/** Sends bytes that may be anything, and waits until the broker has dealt with them. */
async function throwAt(bytes: Buffer): Promise<void> {
  const socket = await connected();
  collected(socket);
  const closed = once(socket, 'close');
  socket.end(bytes);
  await closed;
}

/** The broker still does what it is there for. */
async function expectAlive(): Promise<void> {
  const admin = kafkaJs(kafka.brokers).admin();
  await admin.connect();
  expect(await admin.listTopics()).toContain('orders');
  await admin.disconnect();
}

/** Requests as kafkajs makes them, without their lengths. */
async function recordedRequests(): Promise<Buffer[]> {
  const frames: Buffer[] = [];
  const client = kafkaJs(kafka.brokers, {
    socketFactory: ({ host, port, onConnect }) => {
      const socket = connect({ host, port }, onConnect);
      const write: (bytes: Buffer) => boolean = socket.write.bind(socket);
      socket.write = (bytes: Buffer) => {
        frames.push(Buffer.from(bytes).subarray(4));
        return write(bytes);
      };
      return socket;
    },
  });
  const producer = client.producer({ idempotent: true, maxInFlightRequests: 1 });
  await producer.connect();
  await producer.send({ topic: 'orders', messages: [{ key: 'a', value: 'b' }] });
  await producer.disconnect();
  const member = await KafkaJsMember.join(client, 'recorded', ['orders']);
  await eventually(() => member.values.length > 0);
  await member.consumer.disconnect();
  const admin = client.admin();
  await admin.connect();
  await admin.createTopics({ topics: [{ topic: 'made', configEntries: [] }] });
  await admin.fetchTopicOffsets('orders');
  await admin.describeConfigs({
    includeSynonyms: false,
    resources: [{ type: ConfigResourceTypes.TOPIC, name: 'made' }],
  });
  await admin.deleteTopics({ topics: ['made'] });
  await admin.disconnect();
  // One of each kind.
  return [...new Map(frames.map((frame) => [frame.readInt16BE(), frame])).values()];
}

async function connected(): Promise<Socket> {
  const socket = connect(Number(kafka.brokers[0]?.split(':')[1]));
  socket.on('error', () => undefined);
  onCleanup(() => socket.destroy());
  await once(socket, 'connect');
  return socket;
}

function collected(socket: Socket): () => Buffer {
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  return () => Buffer.concat(chunks);
}

function framesIn(bytes: Buffer): Buffer[] {
  if (bytes.length < 4 || bytes.length < 4 + bytes.readInt32BE()) return [];
  const end = 4 + bytes.readInt32BE();
  return [bytes.subarray(4, end), ...framesIn(bytes.subarray(end))];
}

function header(apiKey: number, apiVersion: number, correlationId = 1): Buffer {
  const writer = new WireWriter().int16(apiKey).int16(apiVersion).int32(correlationId);
  return Buffer.concat(writer.string('client').toBuffers());
}

function framed(frame: Buffer): Buffer {
  return Buffer.concat([int32(frame.length), frame]);
}

function int16(value: number): Buffer {
  return Buffer.concat(new WireWriter().int16(value).toBuffers());
}

function int32(value: number): Buffer {
  return Buffer.concat(new WireWriter().int32(value).toBuffers());
}
