import { describe, expect, it } from '@jest/globals';
import { z } from 'zod';

import { defineEvent } from '../../../lib/contracts/define-event.js';
import { DEAD_LETTER_HEADERS, HEADERS } from '../../../lib/contracts/event-headers.js';
import type { Signals } from '../../../lib/observability/observer.js';
import { EventJournal } from '../../../lib/testing/event-journal.js';
import { EventSpy } from '../../../lib/testing/event-spy.js';
import { EventSpyTimeoutError } from '../../../lib/testing/event-spy-timeout.error.js';
import { inRecord } from '../../support/model-kafka.js';
import { OrderCreated, OrderShipped } from '../../support/shop-events.js';

const Priced = defineEvent({
  type: 'article.priced',
  version: 1,
  topic: 'articles',
  key: 'sku',
  schema: z.object({ sku: z.string(), cents: z.string().transform(async (text) => Number(text)) }),
});

interface RecordParts {
  readonly id: string;
  readonly type?: string;
  readonly topic?: string;
  readonly value?: string | null;
}

/** A journal with the driver and the engine played by the test. */
class Engine {
  readonly journal = new EventJournal();
  readonly spy = new EventSpy(this.journal);
  #offset = 0n;

  fetches({ id, type = 'order.created.v1', topic = 'orders', value = order(id) }: RecordParts) {
    const offset = this.#offset++;
    const record = inRecord({
      offset,
      key: Buffer.from('key'),
      value: value === null ? null : Buffer.from(value),
      headers: [
        [HEADERS.eventId, Buffer.from(id)],
        ...(type === '' ? [] : ([[HEADERS.eventType, Buffer.from(type)]] as const)),
        ['x-tenant', Buffer.from('acme')],
        ['x-empty', null],
      ],
    });
    const place = { topic, partition: 0 };
    const fetched = { epoch: 1, nextOffset: offset + 1n, highWatermark: offset + 1n };
    this.journal.fetched('shop', { ...place, ...fetched, records: [record] });
    return { ...place, groupId: 'shop', offset };
  }

  handles(parts: RecordParts, over: Partial<Signals['handled']> = {}) {
    const ref = { ...this.fetches(parts), ...handlerOf(parts), ...over };
    this.journal.observer.onHandled?.({ ...ref, attempt: 1, durationMs: 2 });
    return ref;
  }

  fails(parts: RecordParts, error: Error) {
    const ref = { ...this.fetches(parts), ...handlerOf(parts) };
    this.journal.observer.onAttemptFailed?.({ ...ref, attempt: 3, delayMs: 40, error });
    return ref;
  }

  buries(parts: RecordParts, over: Partial<Signals['deadLettered']> = {}) {
    this.journal.observer.onDeadLettered?.({
      ...this.fetches(parts),
      handlerId: 'Orders.reserve',
      reason: 'retries-exhausted',
      deadLetterTopic: 'orders.dlq',
      error: new Error('stock is down'),
      ...over,
    });
  }

  publishes({ id, type = 'order.created.v1', topic = 'orders', value = order(id) }: RecordParts) {
    const headers = [[HEADERS.eventId, Buffer.from(id)]] as const;
    const key = Buffer.from('key');
    this.journal.sent(topic, [{ key, value: Buffer.from(value ?? ''), headers, timestamp: 0 }]);
    this.journal.observer.onPublished?.({ eventType: type, topic, eventId: id });
  }
}

function order(orderId: string): string {
  return JSON.stringify({ orderId });
}

function handlerOf({ id, type = 'order.created.v1' }: RecordParts) {
  return { handlerId: 'Orders.reserve', eventId: id, eventType: type };
}

async function timeoutOf(waiting: Promise<unknown>): Promise<EventSpyTimeoutError> {
  const error = await waiting.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  if (error instanceof EventSpyTimeoutError) return error;
  throw new Error('it did not time out');
}

const SOON = { timeoutMs: 30 };
const any = () => true;

describe('EventSpy', () => {
  it('answers what came already, with all there is to know of it', async () => {
    const engine = new Engine();
    engine.handles({ id: 'o-1' });

    const event = await engine.spy.handled(OrderCreated);

    expect(event.payload).toBeInstanceOf(OrderCreated);
    expect(event).toEqual({
      payload: { orderId: 'o-1' },
      eventId: 'o-1',
      eventType: 'order.created.v1',
      aggregateId: 'key',
      headers: {
        'event-id': 'o-1',
        'event-type': 'order.created.v1',
        'x-tenant': 'acme',
        'x-empty': null,
      },
      handlerId: 'Orders.reserve',
      groupId: 'shop',
      attempt: 1,
      durationMs: 2,
      topic: 'orders',
      partition: 0,
      offset: 0n,
    });
  });

  it('waits for what is to come, and for the one that matches', async () => {
    const engine = new Engine();
    engine.handles({ id: 'o-1' });
    const waiting = engine.spy.handled(OrderCreated, ({ orderId }) => orderId === 'o-3');
    await new Promise(setImmediate);
    engine.handles({ id: 'o-2' });
    await new Promise(setImmediate);
    engine.handles({ id: 'o-3' });

    await expect(waiting).resolves.toMatchObject({ payload: { orderId: 'o-3' } });
  });

  it('matches by what is known beside the payload, too', async () => {
    const engine = new Engine();
    engine.handles({ id: 'o-1' }, { handlerId: 'Mail.send' });
    engine.handles({ id: 'o-1' }, { handlerId: 'Orders.reserve' });

    const byOrders = await engine.spy.handled(
      OrderCreated,
      (_, { handlerId }) => handlerId === 'Orders.reserve',
    );
    expect(byOrders.offset).toBe(1n);
  });

  it('tells events of one topic, and topics of one event, apart', async () => {
    const engine = engineWithTopics('shipping');
    engine.handles({ id: 'o-1', type: 'order.created.v1', topic: 'shipping-orders' });
    engine.handles({ id: 'o-2', type: 'order.shipped.v1', topic: 'elsewhere-orders' });
    engine.handles({ id: 'o-3', type: 'order.shipped.v1', topic: 'shipping-orders' });

    await expect(engine.spy.handledEvents(OrderShipped)).resolves.toMatchObject([
      { eventId: 'o-3' },
    ]);
  });

  it('answers the output of a schema, asynchronous ones included', async () => {
    const engine = new Engine();
    const value = '{"sku":"a","cents":"12"}';
    engine.handles({ id: 'a', type: 'article.priced.v1', topic: 'articles', value });

    const { payload } = await engine.spy.handled(Priced, ({ cents }) => cents > 10);
    expect(payload).toEqual({ sku: 'a', cents: 12 });
  });

  it('knows what was published by the record that was sent', async () => {
    const engine = new Engine();
    const deadLetter = [
      [HEADERS.eventId, Buffer.from('o-1')],
      [DEAD_LETTER_HEADERS.originalTopic, Buffer.from('orders')],
    ] as const;
    const copy = { key: null, value: Buffer.from('{}'), timestamp: 0 };
    engine.journal.sent('orders', [{ ...copy, headers: deadLetter }]);
    engine.publishes({ id: 'o-1' });

    await expect(engine.spy.published(OrderCreated)).resolves.toMatchObject({
      payload: { orderId: 'o-1' },
      topic: 'orders',
    });
    await expect(engine.spy.publishedEvents(OrderCreated)).resolves.toHaveLength(1);
  });

  it('knows a dead letter whatever is in it', async () => {
    const engine = new Engine();
    engine.buries({ id: 'o-1' });
    engine.buries({ id: 'o-2', value: 'no JSON' }, { reason: 'undecodable' });
    engine.buries({ id: 'o-3', value: '{}' }, { reason: 'invalid' });
    engine.buries({ id: 'o-4', type: '' }, { reason: 'no-event-type', handlerId: null });

    await expect(engine.spy.deadLetteredEvents(OrderCreated)).resolves.toMatchObject([
      { eventId: 'o-1', payload: { orderId: 'o-1' }, reason: 'retries-exhausted' },
      { eventId: 'o-2', payload: null, reason: 'undecodable', error: { message: 'stock is down' } },
      { eventId: 'o-3', payload: null, reason: 'invalid', deadLetterTopic: 'orders.dlq' },
      { eventId: 'o-4', payload: { orderId: 'o-4' }, handlerId: null },
    ]);
    const undecodable = await engine.spy.deadLettered(
      OrderCreated,
      (payload, { reason }) => payload === null && reason === 'undecodable',
    );
    expect(undecodable.eventId).toBe('o-2');
  });

  it('lists each outcome by itself', async () => {
    const engine = new Engine();
    engine.publishes({ id: 'o-1' });
    const ref = engine.handles({ id: 'o-1' });
    engine.journal.observer.onDuplicate?.({ ...ref, state: 'done' });

    await expect(engine.spy.publishedEvents(OrderCreated)).resolves.toHaveLength(1);
    await expect(engine.spy.handledEvents(OrderCreated)).resolves.toHaveLength(1);
    await expect(engine.spy.duplicateEvents(OrderCreated)).resolves.toMatchObject([
      { state: 'done', payload: { orderId: 'o-1' } },
    ]);
    await expect(engine.spy.duplicate(OrderCreated)).resolves.toMatchObject({ eventId: 'o-1' });
    await expect(engine.spy.deadLetteredEvents(OrderCreated)).resolves.toEqual([]);
  });

  it('leaves tombstones out', async () => {
    const engine = new Engine();
    engine.handles({ id: 'o-1', value: null });
    await expect(engine.spy.handledEvents(OrderCreated)).resolves.toEqual([]);
  });

  it('rejects with what the condition of the test throws', async () => {
    const engine = new Engine();
    engine.handles({ id: 'o-1' });
    const mistake = () => {
      throw new TypeError('a mistake in the test');
    };
    await expect(engine.spy.handled(OrderCreated, mistake)).rejects.toThrow(
      'a mistake in the test',
    );
  });

  it('refuses what is no event', async () => {
    class Undecorated {
      orderId!: string;
    }
    await expect(new Engine().spy.handled(Undecorated)).rejects.toMatchObject({
      code: 'INVALID_DEFINITION',
    });
  });

  it('forgets when told to, also for those who wait', async () => {
    const engine = new Engine();
    engine.handles({ id: 'o-1' });
    engine.spy.clear();
    await expect(engine.spy.handledEvents(OrderCreated)).resolves.toEqual([]);

    const waiting = engine.spy.handled(OrderCreated);
    engine.spy.clear();
    engine.handles({ id: 'o-2' });
    await expect(waiting).resolves.toMatchObject({ eventId: 'o-2' });
  });

  it('holds a record only until its group has committed it', async () => {
    const engine = new Engine();
    const first = { ...engine.fetches({ id: 'o-1' }), ...handlerOf({ id: 'o-1' }) };
    const second = { ...engine.fetches({ id: 'o-2' }), ...handlerOf({ id: 'o-2' }) };
    engine.journal.committed('another', [{ ...first, epoch: 1, offset: 9n }]);
    engine.journal.committed('shop', [{ ...first, epoch: 1, offset: 1n }]);

    for (const ref of [first, second]) {
      engine.journal.observer.onHandled?.({ ...ref, attempt: 1, durationMs: 1 });
    }
    await expect(engine.spy.handledEvents(OrderCreated)).resolves.toMatchObject([
      { eventId: 'o-2' },
    ]);
  });
});

describe('what EventSpy says when nothing came in time', () => {
  it('is that no consumer has started, if that is so', async () => {
    const engine = new Engine();
    const error = await timeoutOf(engine.spy.handled(OrderCreated, any, SOON));

    expect(error).toMatchObject({ eventType: 'order.created.v1', timeoutMs: 30 });
    expect(error.message).toMatch(
      /^No OrderCreated \(order.created.v1\) was handled within 30 ms.\nNo consumer has started: .*app.init.*\nNothing arrived at all.$/,
    );
    const published = await timeoutOf(engine.spy.published(OrderCreated, any, SOON));
    expect(published.message).not.toContain('No consumer');
  });

  it('is what came instead, in lines', async () => {
    const engine = engineConsuming();
    engine.publishes({ id: 'o-1' });
    engine.handles({ id: 'o-1' });
    engine.fails({ id: 'o-2' }, new Error('stock is down'));
    engine.buries({ id: 'o-2' });
    engine.journal.observer.onNotOurs?.({
      ...engine.fetches({ id: 'o-9', type: 'order.lost.v1' }),
      eventType: 'order.lost.v1',
    });
    const wanted = engine.spy.handled(OrderCreated, ({ orderId }) => orderId === 'o-2', SOON);

    expect((await timeoutOf(wanted)).message.split('\n')).toEqual([
      'No OrderCreated (order.created.v1) was handled within 30 ms.',
      '1 of them was handled, but not a matching one.',
      'What arrived:',
      '  - published order.created.v1 o-1 {"orderId":"o-1"}',
      '  - handled order.created.v1 o-1 by Orders.reserve, attempt 1, {"orderId":"o-1"}',
      '  - tried and failed order.created.v1 o-2 by Orders.reserve, attempt 3, next in 40 ms, Error: stock is down, {"orderId":"o-2"}',
      '  - dead-lettered order.created.v1 o-2 by Orders.reserve, retries-exhausted, Error: stock is down, {"orderId":"o-2"}',
      '  - handled by nobody here order.lost.v1 o-9 {"orderId":"o-9"}',
    ]);
  });

  it('is why the handler is failing, while it is', async () => {
    const engine = engineConsuming();
    engine.fails({ id: 'o-1' }, new Error('gave up on that one before'));
    engine.buries({ id: 'o-1' });
    engine.fails({ id: 'o-2' }, new Error('stock is down'));

    const { message } = await timeoutOf(engine.spy.handled(OrderCreated, any, SOON));
    expect(message.split('\n').filter((line) => line.startsWith('Still failing'))).toEqual([
      'Still failing: tried and failed order.created.v1 o-2 by Orders.reserve, attempt 3, next in 40 ms, Error: stock is down, {"orderId":"o-2"}',
    ]);
  });

  it('is short, however much came', async () => {
    const engine = engineConsuming();
    for (let i = 0; i < 100; i++)
      engine.handles({ id: `o-${i}`, value: order('x'.repeat(10_000)) });

    const { message } = await timeoutOf(engine.spy.deadLettered(OrderCreated, any, SOON));
    expect(message).toContain('What arrived, after 80 earlier:');
    expect(message).toContain('handled order.created.v1 o-99');
    expect(message).not.toContain('o-79');
    expect(message.length).toBeLessThan(8_000);
  });
});

function engineWithTopics(prefix: string): Engine {
  const engine = new Engine();
  engine.journal.topicName = (topic) => `${prefix}-${topic}`;
  return engine;
}

function engineConsuming(): Engine {
  const engine = new Engine();
  const partition = { topic: 'orders', partition: 0 };
  engine.journal.observer.onPartitionAssigned?.({ ...partition, groupId: 'shop', epoch: 1 });
  return engine;
}
