import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { Client, credentials, Metadata, type ServiceError } from '@grpc/grpc-js';
import { beforeAll, afterAll, describe, expect, it } from '@jest/globals';

import { DirectDoor } from '../../../lib/consuming/direct/direct-door.js';
import type { DirectRecord } from '../../../lib/consuming/direct/direct-record.js';
import type { HandlerSettings } from '../../../lib/consuming/handler-options.js';
import { systemClock } from '../../../lib/contracts/clock.js';
import { HEADERS } from '../../../lib/contracts/event-headers.js';
import {
  loadDeliverMethod,
  toRequest,
  type DeliverReply,
} from '../../../lib/fallback/delivery/delivery-contract.js';
import {
  eventDelivery,
  type EventDeliveryOptions,
  type EventDeliveryServer,
} from '../../../lib/fallback/delivery/event-delivery-server.js';
import {
  deliverTo,
  type DeliveryTargetOptions,
} from '../../../lib/fallback/delivery/event-delivery-target.js';
import { DirectDeliveryError, InvalidOptionsError } from '../../../lib/kafka-events.errors.js';
import type { SignalName, Signals } from '../../../lib/observability/observer.js';
import { onCleanup } from '../../support/cleanup.js';
import { anyEvent, handlerOf, startEngine, type HandlerBody } from '../../support/engine.js';
import { settle } from '../../support/engine-events.js';
import { eventually } from '../../support/eventually.js';
import { fragileStore } from '../../support/fragile-store.js';
import { ModelPartition } from '../../support/model-kafka.js';
import { rejectionOf, thrownBy } from '../../support/thrown-by.js';
import { createTlsCertificates, type TlsCertificates } from '../../support/tls-certificates.js';

const Created = anyEvent('order.created');
const guard = () => true;

function directRecord(eventId: string, over: Partial<DirectRecord> = {}): DirectRecord {
  return {
    topic: 'orders',
    key: Buffer.from([0, 255, 1]),
    value: Buffer.from(JSON.stringify({ id: eventId })),
    headers: [
      [HEADERS.eventType, Buffer.from('order.created.v1')],
      [HEADERS.eventId, Buffer.from(eventId)],
      ['twice', Buffer.from('a')],
      ['twice', null],
      ['empty', Buffer.alloc(0)],
    ],
    timestamp: 1_700_000_000_123,
    ...over,
  };
}

interface Served {
  readonly server: EventDeliveryServer;
  readonly url: string;
  readonly signals: { readonly name: SignalName; readonly signal: Signals[SignalName] }[];
}

/** An engine of one handler behind a server on loopback. */
async function serve(
  body: HandlerBody,
  options: Partial<EventDeliveryOptions> = { guard },
  settings: Partial<HandlerSettings> = { acceptsDirect: true },
): Promise<Served> {
  const handlers = [
    handlerOf('h', [Created], body, settings),
    handlerOf('other', [Created], () => undefined),
  ];
  const engine = await startEngine([new ModelPartition('orders', 0)], handlers, {
    store: fragileStore(),
  });
  const signals: Served['signals'] = [];
  const door = new DirectDoor({
    groups: () => [engine.consumer.direct],
    deadLetterTopic: (topic) => `${topic}.dlq`,
    maxInFlight: 2,
    deadlineMs: 30_000,
    signals: { emit: (name, signal) => void signals.push({ name, signal }) },
    clock: systemClock,
  });
  const server = eventDelivery({ listen: '127.0.0.1:0', ...options });
  await server.listen(door);
  onCleanup(() => server.close());
  return { server, url: `127.0.0.1:${String(server.port)}`, signals };
}

function targetAt(url: string, options: Partial<DeliveryTargetOptions> = {}) {
  const target = deliverTo({ url, deadlineMs: 10_000, ...options });
  onCleanup(() => {
    target.close();
  });
  return target;
}

async function refusalOf(delivery: Promise<unknown>): Promise<DirectDeliveryError> {
  const error = await rejectionOf(() => delivery);
  if (!(error instanceof DirectDeliveryError)) throw error;
  return error;
}

/** A client that is not ours: what status does it see? */
async function statusOf(url: string, request: object, channel = credentials.createInsecure()) {
  const method = await loadDeliverMethod('the test');
  const client = new Client(url, channel);
  onCleanup(() => {
    client.close();
  });
  return new Promise<Pick<ServiceError, 'code' | 'details'> | DeliverReply | undefined>(
    (resolve) => {
      client.makeUnaryRequest(
        ...([method.path, method.requestSerialize, method.responseDeserialize, request] as const),
        new Metadata(),
        { deadline: Date.now() + 10_000 },
        (error, reply) => {
          resolve(error ?? reply);
        },
      );
    },
  );
}

describe('an event delivered over gRPC', () => {
  it('arrives byte for byte, and the reply names every handler', async () => {
    const seen: unknown[] = [];
    const { url } = await serve((payload, context) => {
      const { direct, topic, headers, timestamp, eventId } = context;
      seen.push({ payload, direct, topic, headers, timestamp, eventId });
    });
    const record = directRecord('e1');

    const receipt = await targetAt(url).deliver(record);

    expect(receipt.handlers).toEqual([
      { groupId: 'group', handlerId: 'h', outcome: 'handled', error: null },
      { groupId: 'group', handlerId: 'other', outcome: 'left-to-kafka', error: null },
    ]);
    expect(seen).toEqual([
      {
        payload: { id: 'e1' },
        direct: true,
        topic: 'orders',
        headers: record.headers,
        timestamp: new Date(record.timestamp),
        eventId: 'e1',
      },
    ]);
    const again = await targetAt(url).deliver(record);
    expect(again.handlers[0]?.outcome).toBe('duplicate');
  });

  it('has the deadline of its caller, and ends with it', async () => {
    let signal: AbortSignal | undefined;
    const { url } = await serve((_, context) => {
      ({ signal } = context);
      return new Promise((_resolve, reject) => {
        context.signal.addEventListener('abort', () => {
          reject(new Error('told to stop'));
        });
      });
    });
    const target = targetAt(url);
    const startedAt = performance.now();
    const deadlineAt = Date.now() + 500;
    expect(await refusalOf(target.deliver(directRecord('e1'), { deadlineAt }))).toMatchObject({
      reason: 'late',
    });
    expect(performance.now() - startedAt).toBeLessThan(2_000);
    await eventually(() => signal?.aborted === true);

    const caller = new AbortController();
    signal = undefined;
    const left = refusalOf(target.deliver(directRecord('e2'), { signal: caller.signal }));
    await eventually(() => signal !== undefined);
    caller.abort();
    expect((await left).reason).toBe('late');
    await eventually(() => signal?.aborted === true);
  });

  it('is answered although the server shuts down meanwhile', async () => {
    const running: (() => void)[] = [];
    const { url, server } = await serve(
      () => new Promise<void>((resolve) => running.push(resolve)),
    );
    const delivery = targetAt(url).deliver(directRecord('e1'));
    await eventually(() => running.length === 1);
    const closed = server.close();
    running[0]?.();
    expect((await delivery).handlers[0]?.outcome).toBe('handled');
    await closed;
  });
});

describe('what the other side says', () => {
  const failing = (error: Error) => () => {
    throw error;
  };
  it.each([
    ['failed', 10, true, failing(new Error('down')), {}],
    ['rejected', 3, false, () => undefined, { value: Buffer.from('{') }],
    ['topic-not-consumed', 5, false, () => undefined, { topic: 'payments' }],
    ['topic-private', 7, false, () => undefined, { topic: 'orders.dlq' }],
    [
      'event-unknown',
      5,
      false,
      () => undefined,
      {
        headers: [
          [HEADERS.eventType, Buffer.from('order.created.v2')],
          [HEADERS.eventId, Buffer.from('e1')],
        ],
      },
    ],
    ['malformed', 3, false, () => undefined, { topic: '' }],
    [
      'event-id-missing',
      3,
      false,
      () => undefined,
      { headers: [[HEADERS.eventType, Buffer.from('order.created.v1')]] },
    ],
    ['too-large', 8, false, () => undefined, { value: Buffer.alloc(2 * 1024 * 1024) }],
  ] as [string, number, boolean, HandlerBody, Partial<DirectRecord>][])(
    'is told by name and by status: %s',
    async (reason, code, retryable, body, over) => {
      const { url } = await serve(body);
      const record = directRecord('e1', over);
      const error = await refusalOf(targetAt(url).deliver(record));
      expect(error).toMatchObject({ reason, retryable, code: 'DIRECT_DELIVERY' });
      expect(error.cause).toMatchObject({ code });
      expect(await statusOf(url, toRequest(record))).toMatchObject({ code });
    },
  );

  it('is told what can be said of an error, whatever characters are in it', async () => {
    const { url } = await serve(() => {
      throw new Error(`half a lorry: \ud83d, and ${'much more '.repeat(10_000)}`);
    });
    const error = await refusalOf(targetAt(url).deliver(directRecord('e1')));
    expect(error.reason).toBe('failed');
    expect(error.message).toContain('half a lorry: \ufffd, and much more');
  });

  it('is told: no handler of it accepts direct delivery', async () => {
    const { url } = await serve(() => undefined, { guard }, { acceptsDirect: false });
    const error = await refusalOf(targetAt(url).deliver(directRecord('e1')));
    expect(error).toMatchObject({ reason: 'event-not-accepted', cause: { code: 9 } });
  });

  it('is told: too many at once', async () => {
    const running: (() => void)[] = [];
    const { url } = await serve(() => new Promise<void>((resolve) => running.push(resolve)));
    const target = targetAt(url);
    const two = [target.deliver(directRecord('e1')), target.deliver(directRecord('e2'))];
    await eventually(() => running.length === 2);
    const error = await refusalOf(target.deliver(directRecord('e3')));
    expect(error).toMatchObject({ reason: 'busy', retryable: true, cause: { code: 8 } });
    for (const end of running) end();
    await Promise.all(two);
  });

  it('is nothing: nobody listens, or something else does', async () => {
    const { url, server } = await serve(() => undefined);
    await server.close();
    const error = await refusalOf(targetAt(url).deliver(directRecord('e1')));
    expect(error).toMatchObject({ reason: 'unreachable', retryable: true });
  });
});

describe('a forged delivery', () => {
  let directory: string;
  let ours: TlsCertificates & { readonly key: string; readonly cert: string };
  let theirs: typeof ours;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'direct-'));
    const make = async (name: string): Promise<typeof ours> => {
      const at = await mkdtemp(join(directory, name));
      const made = await createTlsCertificates(at);
      const [key, cert] = await Promise.all(
        ['server.key', 'server.pem'].map((file) => readFile(join(at, file), 'utf8')),
      );
      return { ...made, key: key ?? '', cert: cert ?? '' };
    };
    ours = await make('ours');
    theirs = await make('theirs');
  });
  afterAll(() => rm(directory, { recursive: true, force: true }));

  const served = async (
    body: HandlerBody = () => undefined,
    more: Partial<EventDeliveryOptions> = {},
  ) => serve(body, { tls: { key: ours.key, cert: ours.cert, clientCa: ours.ca }, ...more });

  it('has no server to go to that would not know its caller', () => {
    const tls = { key: ours.key, cert: ours.cert };
    for (const options of [{}, { tls }]) {
      const error = thrownBy(() => eventDelivery({ listen: '127.0.0.1:0', ...options }));
      expect(error).toBeInstanceOf(InvalidOptionsError);
      expect(error).toHaveProperty('problems', [
        {
          option: 'directDelivery.transport',
          problem: 'would let anybody deliver events; give it tls.clientCa, a guard, or both',
        },
      ]);
    }
  });

  it('with a certificate of the right authority is none', async () => {
    const { url } = await served();
    const { ca, key, cert } = ours;
    const { handlers } = await targetAt(url, { tls: { ca, key, cert } }).deliver(
      directRecord('e1'),
    );
    expect(handlers[0]?.outcome).toBe('handled');
  });

  it.each(['no certificate', 'the wrong authority', 'no TLS'])(
    'with %s is refused',
    async (what) => {
      let runs = 0;
      const { url, signals } = await served(() => runs++);
      const { ca } = ours;
      const tls =
        what === 'no TLS'
          ? false
          : what === 'no certificate'
            ? { ca }
            : { ca, key: theirs.key, cert: theirs.cert };
      const error = await refusalOf(targetAt(url, { tls }).deliver(directRecord('e1')));
      expect({ reason: error.reason, code: error.cause }).toMatchObject({
        // To strangers TLS does not always say why it closes the door.
        reason: what === 'no certificate' ? 'unauthenticated' : 'unreachable',
        code: { code: 14 },
      });
      await settle();
      expect(runs).toBe(0);
      expect(signals).toEqual([]);
    },
  );

  it('to whose caller the guard says no is refused, and told of', async () => {
    let runs = 0;
    const peers: unknown[] = [];
    const { url, signals } = await served(() => runs++, {
      guard: (metadata, { certificate, topic, address }) => {
        peers.push([certificate?.subject.CN, topic, address.startsWith('127.0.0.1:')]);
        return metadata.get('authorization')[0] === 'Bearer right';
      },
    });
    const { ca, key, cert } = ours;
    const tls = { ca, key, cert };
    const forged = targetAt(url, { tls, metadata: () => ({ authorization: 'Bearer wrong' }) });
    const error = await refusalOf(forged.deliver(directRecord('e1')));
    expect(error).toMatchObject({ reason: 'denied', retryable: false, cause: { code: 7 } });
    expect(error.message).not.toContain('Bearer');
    expect(runs).toBe(0);
    expect(signals).toMatchObject([
      { name: 'directRefused', signal: { topic: 'orders', reason: 'denied' } },
    ]);
    const right = targetAt(url, { tls, metadata: () => ({ authorization: 'Bearer right' }) });
    await right.deliver(directRecord('e1'));
    expect(runs).toBe(1);
    expect(peers).toEqual([
      ['localhost', 'orders', true],
      ['localhost', 'orders', true],
    ]);
  });

  it('whose token cannot be sent is refused here, without telling it', async () => {
    const metadata = () => ({ authorization: 'Bearer hunter2\n' });
    const error = await refusalOf(
      targetAt('127.0.0.1:1', { metadata }).deliver(directRecord('e1')),
    );
    expect(error).toMatchObject({ reason: 'unauthenticated', retryable: false });
    expect(error.message).toContain('"authorization"');
    expect(inspect(error)).not.toContain('hunter2');
  });

  it('on which the guard fails is refused', async () => {
    const { url } = await serve(() => undefined, {
      guard: () => Promise.reject(new Error('directory away')),
    });
    const error = await refusalOf(targetAt(url).deliver(directRecord('e1')));
    expect(error).toMatchObject({ reason: 'denied', cause: { code: 7 } });
    expect(error.message).not.toContain('directory away');
  });

  it('has no port that is taken by somebody else', async () => {
    const { url, server } = await serve(() => undefined);
    const second = eventDelivery({ listen: url, guard });
    const error = await rejectionOf(() =>
      second.listen({
        deliver: () => Promise.reject(new Error('unused')),
        refused: () => undefined,
      }),
    );
    expect(error).toBeInstanceOf(InvalidOptionsError);
    expect(error.message).toContain(`cannot listen on ${url}`);
    expect(server.port).not.toBeNull();
  });
});
