import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { defineEvent } from '../../../lib/contracts/define-event.js';
import {
  EventTooLargeError,
  InvalidDefinitionError,
  InvalidEventError,
  PublishAllError,
  PublishBufferFullError,
  PublishDeadlineError,
  PublisherClosedError,
  PublishError,
  PublishRejectedError,
  UnknownTopicError,
} from '../../../lib/kafka-events.errors.js';
import type { ProducerSettings } from '../../../lib/kafka-events.options.js';
import type { SignalSink } from '../../../lib/observability/observer.js';
import { EventPublisher } from '../../../lib/publishing/event-publisher.js';
import { event, type PublishReceipt } from '../../../lib/publishing/publish-options.js';
import { SendDeadlineError } from '../../../lib/publishing/send-deadline-error.js';
import { ManualClock } from '../../support/manual-clock.js';
import { ModelTopics } from '../../support/model-producer.js';

const OrderCreated = defineEvent({
  type: 'order.created',
  version: 1,
  topic: 'orders',
  key: 'orderId',
  schema: z.object({ orderId: z.string().min(1) }),
});
const StockReserved = defineEvent({
  type: 'stock.reserved',
  version: 1,
  topic: 'stock',
  key: 'sku',
  schema: z.object({ sku: z.string() }),
});
const CheckedLater = defineEvent({
  type: 'checked.later',
  version: 1,
  topic: 'orders',
  key: 'orderId',
  schema: z.object({ orderId: z.string() }).refine(() => Promise.resolve(true)),
});

const PRODUCER: ProducerSettings = {
  maxRecordBytes: 1_000,
  deadlineMs: 30_000,
  maxBufferedEvents: 100,
  maxBufferedBytes: 100_000,
  onBufferFull: 'wait',
  maxBatchRecords: 500,
};
const CONNECTION = {
  clientId: 'test',
  brokers: [],
  ssl: false,
  sasl: null,
  connectionTimeoutMs: 1_000,
  requestTimeoutMs: 30_000,
  retries: 0,
  retryInitialDelayMs: 100,
  maxDecompressedBatchBytes: 1,
  patchKafkaJs: false,
};

function start({
  connect = true,
  ...producer
}: Partial<ProducerSettings> & { connect?: boolean } = {}) {
  const clock = new ManualClock();
  const topics = new ModelTopics();
  const signals: { name: string; signal: unknown }[] = [];
  const sink: SignalSink = { emit: (name, signal) => signals.push({ name, signal }) };
  let ids = 0;
  const publisher = new EventPublisher({
    settings: {
      connect,
      connection: CONNECTION,
      topicName: (topic) => `test.${topic}`,
      producer: { ...PRODUCER, ...producer },
      clock,
    },
    driver: topics,
    sink,
    newEventId: () => `id-${++ids}`,
    random: () => 0,
  });
  const answerAll = () => {
    topics.onSend = (send) => {
      send.acknowledge();
    };
  };
  return { clock, topics, signals, publisher, answerAll };
}

/** What a publish was rejected with, which must be an error that knows its event. */
async function failure(publishing: Promise<unknown>): Promise<PublishError> {
  const error: unknown = await publishing.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  if (error instanceof PublishError) return error;
  throw new Error(`no PublishError but ${String(error)}`);
}

describe('EventPublisher.publish', () => {
  it('resolves with the receipt when the broker has the event', async () => {
    const { topics, publisher, signals } = start();
    let receipt: PublishReceipt | undefined;
    const publishing = publisher
      .publish(OrderCreated, { orderId: 'o-1' })
      .then((answer) => (receipt = answer));
    await turn();
    expect(topics.next().topic).toBe('test.orders');
    expect(receipt).toBeUndefined();
    topics.next().acknowledge();
    await publishing;
    const identity = { eventId: 'id-1', eventType: 'order.created.v1', topic: 'test.orders' };
    expect(receipt).toEqual({ ...identity, partition: 0, offset: '0' });
    expect(signals).toEqual([{ name: 'published', signal: identity }]);
  });

  it('says null where the broker did not repeat the offset', async () => {
    const { topics, publisher } = start();
    const publishing = publisher.publish(OrderCreated, { orderId: 'o' });
    await turn();
    topics.next().answer([{ partition: 2, offset: null }]);
    expect(await publishing).toMatchObject({ partition: 2, offset: null });
  });

  it('keeps the order of the calls, batched, also across a full buffer', async () => {
    const { topics, publisher, answerAll } = start({ maxBufferedEvents: 7, maxBatchRecords: 3 });
    answerAll();
    const ids = Array.from({ length: 50 }, (_, i) => `o-${i}`);
    await Promise.all(ids.map((orderId) => publisher.publish(OrderCreated, { orderId })));
    expect(topics.keys('test.orders')).toEqual(ids);
    expect(Math.max(...topics.sends.map(({ records }) => records.length))).toBe(3);
    expect(topics.sends.length).toBeLessThan(30);
  });

  it('keeps topics apart: one whose broker is away does not hold up the other', async () => {
    const { topics, publisher } = start();
    void publisher.publish(OrderCreated, { orderId: 'o' }).catch(() => undefined);
    const reserved = publisher.publish(StockReserved, { sku: 's' });
    await turn();
    topics.sends.find(({ topic }) => topic === 'test.stock')?.acknowledge();
    await reserved;
    expect(topics.producers).toHaveLength(2);
  });

  it('leaves the payload, the options and the headers of the caller as they are', async () => {
    const { publisher, answerAll } = start();
    answerAll();
    const payload = Object.freeze({ orderId: 'o-1' });
    const headers = Object.freeze({ tenant: 'blue' });
    const options = Object.freeze({ headers, timestamp: Object.freeze(new Date(0)) });
    await publisher.publish(OrderCreated, payload, options);
    await publisher.publishAll(
      Object.freeze([Object.freeze(event(OrderCreated, payload, options))]),
    );
    expect(payload).toEqual({ orderId: 'o-1' });
    expect(options).toEqual({ headers: { tenant: 'blue' }, timestamp: new Date(0) });
  });

  describe('rejects with a named error that knows the event:', () => {
    it('InvalidEventError; nothing is sent', async () => {
      const { topics, publisher, signals } = start();
      const error = await failure(
        publisher.publish(OrderCreated, { orderId: '' }, { eventId: 'mine' }),
      );
      expect(error).toBeInstanceOf(InvalidEventError);
      expect(error).toMatchObject({ eventId: 'mine', topic: 'test.orders' });
      await turn();
      expect(topics.sends).toEqual([]);
      expect(signals).toEqual([
        {
          name: 'publishFailed',
          signal: {
            eventId: 'mine',
            eventType: 'order.created.v1',
            topic: 'test.orders',
            error,
          },
        },
      ]);
    });

    it('EventTooLargeError, before it is sent and by the broker', async () => {
      const { topics, publisher } = start();
      const huge = publisher.publish(OrderCreated, { orderId: 'x'.repeat(1_000) });
      expect(await failure(huge)).toBeInstanceOf(EventTooLargeError);
      expect(topics.sends).toEqual([]);

      const refused = publisher.publish(OrderCreated, { orderId: 'o' });
      await turn();
      topics.next().fail('too-large');
      expect(await failure(refused)).toMatchObject({ code: 'EVENT_TOO_LARGE', eventId: 'id-2' });
    });

    it.each([
      ['unknown-topic', UnknownTopicError],
      ['auth', PublishRejectedError],
      ['fatal', PublishRejectedError],
    ] as const)('of a broker that says %s: %p', async (kind, type) => {
      const { topics, publisher, signals } = start();
      const publishing = publisher.publish(OrderCreated, { orderId: 'o' });
      await turn();
      topics.next().fail(kind);
      const error = await failure(publishing);
      expect(error).toBeInstanceOf(type);
      expect(error).toMatchObject({ eventId: 'id-1', retryable: false, cause: { kind } });
      expect(publisher.stats().lastError).toBe(error);
      expect(signals.map(({ name }) => name)).toEqual(['producerRecycled', 'publishFailed']);
    });

    it('PublishDeadlineError, in time, with what kept it', async () => {
      const { clock, topics, publisher } = start();
      topics.onSend = (send) => {
        send.fail();
      };
      const publishing = failure(
        publisher.publish(OrderCreated, { orderId: 'o' }, { deadlineMs: 1_000 }),
      );
      await clock.advanceAsync(1_000);
      const error = await publishing;
      expect(error).toBeInstanceOf(PublishDeadlineError);
      expect(error).toMatchObject({
        eventId: 'id-1',
        retryable: true,
        cause: { kind: 'retryable' },
      });
      expect(error.message).toContain('within 1000 ms');
      expect((error.cause as Error).message).toBe('scripted: retryable');
      expect(clock.now()).toBe(new ManualClock().now() + 1_000);
    });

    it('PublishDeadlineError of a broker that never answered, with where it stood', async () => {
      const { clock, publisher } = start();
      const publishing = failure(publisher.publish(OrderCreated, { orderId: 'o' }));
      await clock.advanceAsync(30_000);
      expect((await publishing).cause).toBeInstanceOf(SendDeadlineError);
    });

    it('PublishDeadlineError while waiting for room', async () => {
      const { clock, publisher } = start({ maxBufferedEvents: 1, deadlineMs: 2_000 });
      void publisher.publish(OrderCreated, { orderId: 'a' }).catch(() => undefined);
      const waiting = failure(
        publisher.publish(OrderCreated, { orderId: 'b' }, { deadlineMs: 1_000 }),
      );
      await turn();
      expect(publisher.stats()).toMatchObject({ bufferedEvents: 1, waitingEvents: 1 });
      await clock.advanceAsync(1_000);
      expect(await waiting).toMatchObject({ code: 'PUBLISH_DEADLINE', eventId: 'id-2' });
    });

    it('PublishBufferFullError where the buffer does not wait', async () => {
      const { publisher } = start({ maxBufferedEvents: 1, onBufferFull: 'fail' });
      void publisher.publish(OrderCreated, { orderId: 'a' }).catch(() => undefined);
      const error = await failure(publisher.publish(OrderCreated, { orderId: 'b' }));
      expect(error).toBeInstanceOf(PublishBufferFullError);
      expect(error.eventId).toBe('id-2');
    });

    it('PublisherClosedError where the module does not connect', async () => {
      const { topics, publisher } = start({ connect: false });
      const error = await failure(publisher.publish(OrderCreated, { orderId: 'o' }));
      expect(error).toBeInstanceOf(PublisherClosedError);
      expect(error.message).toContain('connect: false');
      await turn();
      expect(topics.producers).toEqual([]);
    });
  });

  it('rejects, and does not throw, for what is no event', async () => {
    const { publisher } = start();
    class Plain {
      orderId = 'o';
    }
    await expect(publisher.publish(Plain, { orderId: 'o' })).rejects.toBeInstanceOf(
      InvalidDefinitionError,
    );
  });

  it('forgets an event whatever becomes of it', async () => {
    const { clock, topics, publisher } = start();
    const publishing = failure(
      publisher.publish(OrderCreated, { orderId: 'o' }, { deadlineMs: 1_000 }),
    );
    expect(publisher.stats().bufferedEvents).toBe(1);
    expect(publisher.stats().bufferedBytes).toBeGreaterThan(100);
    await clock.advanceAsync(1_000);
    await publishing;
    topics.next().acknowledge();
    await turn();
    expect(publisher.stats()).toMatchObject({ bufferedEvents: 0, bufferedBytes: 0 });
    expect(publisher.stats().topics).toMatchObject([
      { topic: 'test.orders', queued: 0, inFlight: 0 },
    ]);
    expect(clock.pending).toBe(0);
  });
});

describe('EventPublisher.publishAll', () => {
  it('resolves with all receipts in the order of the call', async () => {
    const { topics, publisher, answerAll } = start();
    answerAll();
    const receipts = await publisher.publishAll([
      event(CheckedLater, { orderId: 'a' }),
      event(StockReserved, { sku: 's' }, { correlationId: 'c' }),
      event(OrderCreated, { orderId: 'b' }),
    ]);
    expect(receipts.map(({ eventType, offset }) => [eventType, offset])).toEqual([
      ['checked.later.v1', '0'],
      ['stock.reserved.v1', '0'],
      ['order.created.v1', '1'],
    ]);
    expect(topics.keys('test.orders')).toEqual(['a', 'b']);
    expect(await publisher.publishAll([])).toEqual([]);
  });

  it('sends nothing when one of them is invalid or too large, and says which', async () => {
    const { topics, publisher, signals } = start();
    const error = await publisher
      .publishAll([
        event(OrderCreated, { orderId: 'fine' }),
        event(OrderCreated, { orderId: '' }, { eventId: 'empty' }),
        event(StockReserved, { sku: 'x'.repeat(1_000) }),
      ])
      .catch((thrown: unknown) => thrown);
    await turn();
    await turn();
    expect(topics.sends).toEqual([]);
    expect(error).toBeInstanceOf(PublishAllError);
    expect(error).toMatchObject({
      code: 'PUBLISH_ALL_FAILED',
      retryable: false,
      receipts: [],
      failures: [
        { index: 1, error: { code: 'INVALID_EVENT', eventId: 'empty' } },
        { index: 2, error: { code: 'EVENT_TOO_LARGE' } },
      ],
    });
    expect((error as Error).message).toContain(
      '2 of 3 events cannot be published, nothing was sent',
    );
    expect((error as Error).message).toContain('[1] order.created.v1 (event id empty)');
    expect(signals.map(({ name }) => name)).toEqual(['publishFailed', 'publishFailed']);
  });

  it('tells what arrived and what did not', async () => {
    const { topics, publisher } = start();
    topics.onSend = (send) => {
      if (send.topic === 'test.stock') send.fail('unknown-topic');
      else send.acknowledge();
    };
    const error = await publisher
      .publishAll([
        event(OrderCreated, { orderId: 'a' }),
        event(StockReserved, { sku: 's' }),
        event(OrderCreated, { orderId: 'b' }),
      ])
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      receipts: [{ eventId: 'id-1' }, { eventId: 'id-3' }],
      failures: [{ index: 1, error: { code: 'UNKNOWN_TOPIC', eventId: 'id-2' } }],
    });
  });

  it('may be retried where each failure may', async () => {
    const { clock, publisher } = start();
    const publishing = publisher
      .publishAll([event(OrderCreated, { orderId: 'a' }), event(StockReserved, { sku: 's' })])
      .catch((thrown: unknown) => thrown);
    await clock.advanceAsync(30_000);
    expect(await publishing).toMatchObject({ retryable: true, failures: [{}, {}] });
  });
});

describe('EventPublisher.close', () => {
  it('lets what is under way arrive, refuses the rest and closes the producers', async () => {
    const { topics, publisher } = start({ maxBufferedEvents: 1 });
    const sent = publisher.publish(OrderCreated, { orderId: 'a' });
    const waiting = publisher.publish(OrderCreated, { orderId: 'b' });
    await turn();
    let closed = false;
    const closing = publisher.close(5_000).then(() => (closed = true));
    const late = await failure(publisher.publish(OrderCreated, { orderId: 'c' }));
    expect(late).toBeInstanceOf(PublisherClosedError);
    expect(late.eventId).toBe('id-3');

    topics.next().acknowledge();
    await sent;
    await turn();
    await turn();
    expect(closed).toBe(false);
    topics.next().acknowledge();
    await waiting;
    await closing;
    expect(topics.producers.every((producer) => producer.closed)).toBe(true);
    expect(topics.keys('test.orders')).toEqual(['a', 'b']);
  });

  it('fails what is not acknowledged by the deadline: sent, queued or waiting', async () => {
    const { clock, topics, publisher } = start({ maxBufferedEvents: 2, maxBatchRecords: 1 });
    const failures = ['sent', 'queued', 'waiting'].map((orderId) =>
      failure(publisher.publish(OrderCreated, { orderId })),
    );
    await turn();
    const closing = publisher.close(5_000);
    await clock.advanceAsync(4_999);
    expect(topics.producers[0]?.closed).toBe(false);
    await clock.advanceAsync(1);
    await closing;
    for (const error of await Promise.all(failures)) {
      expect(error).toBeInstanceOf(PublisherClosedError);
    }
    expect(topics.producers[0]?.closed).toBe(true);
    expect(topics.sends).toHaveLength(1);
    expect(clock.pending).toBe(0);
  });

  it('refuses an event whose validation it outran', async () => {
    const { topics, publisher } = start();
    const sent = publisher.publish(OrderCreated, { orderId: 'sent' });
    const publishing = failure(publisher.publish(CheckedLater, { orderId: 'later' }));
    const closing = publisher.close(5_000);
    expect(await publishing).toBeInstanceOf(PublisherClosedError);
    await turn();
    topics.next().acknowledge();
    await sent;
    await closing;
    expect(topics.keys('test.orders')).toEqual(['sent']);
  });

  it('resolves although a producer never closes', async () => {
    const { clock, topics, publisher } = start();
    const publishing = publisher.publish(OrderCreated, { orderId: 'a' });
    await turn();
    topics.next().acknowledge();
    await publishing;
    for (const producer of topics.producers) {
      producer.close = () => new Promise(() => undefined);
    }
    let closed = false;
    const closing = publisher.close(5_000).then(() => (closed = true));
    await clock.advanceAsync(999);
    expect(closed).toBe(false);
    await clock.advanceAsync(1);
    await closing;
  });

  it('is done once', async () => {
    const { publisher } = start();
    expect(publisher.close(0)).toBe(publisher.close(5_000));
    await publisher.close(0);
  });
});
