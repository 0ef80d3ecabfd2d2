import { describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { defineEvent } from '../../../lib/contracts/define-event.js';
import type { EventContract } from '../../../lib/contracts/event-contract.js';
import { contractOf, type EventSource } from '../../../lib/contracts/event-source.js';
import {
  EventTooLargeError,
  InvalidEventError,
  InvalidPayloadError,
  PublishError,
  PublishRejectedError,
} from '../../../lib/kafka-events.errors.js';
import { sizeOfRecord, type OutRecord } from '../../../lib/kafka/records.js';
import { EventEncoder } from '../../../lib/publishing/event-encoder.js';
import type { PublishOptions } from '../../../lib/publishing/publish-options.js';
import { ManualClock } from '../../support/manual-clock.js';
import { WALL_TIME_STEPS } from '../../support/wall-time-steps.js';

const NOW = Date.UTC(2025, 5, 1, 12, 30);
const OrderCreated = defineEvent({
  type: 'order.created',
  version: 2,
  topic: 'orders',
  key: 'orderId',
  schema: z.object({
    orderId: z.string().min(1),
    total: z.coerce.number().int().default(0),
  }),
});

function encoder(maxRecordBytes = 10_000, clock = new ManualClock(NOW)) {
  return new EventEncoder({
    topicName: (topic) => `test.${topic}`,
    maxRecordBytes,
    defaultDeadlineMs: 30_000,
    clock,
    newEventId: () => 'id-1',
  });
}

async function encode(
  source: EventSource | EventContract,
  payload: unknown,
  options: PublishOptions = {},
  by = encoder(),
) {
  const contract = 'keyOf' in source ? source : contractOf(source);
  return by.encode(by.identify(contract, options), contract, payload, options);
}

async function refusal(encoding: Promise<unknown>): Promise<PublishError> {
  const error: unknown = await encoding.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  if (error instanceof PublishError) return error;
  throw new Error(`no PublishError but ${String(error)}`);
}

function textHeaders({ headers }: OutRecord): [string, string | undefined][] {
  return headers.map(([name, value]) => [name, value?.toString()]);
}

describe('EventEncoder', () => {
  it('writes the input as JSON, the aggregate id as key and the envelope as headers', async () => {
    const { record, identity, bytes } = await encode(OrderCreated, { orderId: 'o-1', total: '7' });
    expect(record.value?.toString()).toBe('{"orderId":"o-1","total":"7"}');
    expect(record.key?.toString()).toBe('o-1');
    expect(textHeaders(record)).toEqual([
      ['event-id', 'id-1'],
      ['event-type', 'order.created.v2'],
      ['correlation-id', 'id-1'],
      ['event-time', '2025-06-01T12:30:00.000Z'],
      ['aggregate-id', 'o-1'],
      ['content-type', 'application/json'],
    ]);
    expect(record.timestamp).toBe(NOW);
    expect(identity).toEqual({
      eventId: 'id-1',
      eventType: 'order.created.v2',
      topic: 'test.orders',
    });
    expect(bytes).toBe(sizeOfRecord(record));
  });

  it('takes the key from what the contract made of the payload', async () => {
    const Trimmed = defineEvent({
      type: 'a',
      version: 1,
      topic: 't',
      key: 'id',
      schema: z.object({ id: z.string().trim() }),
    });
    const { record } = await encode(Trimmed, { id: ' x ' });
    expect(record.key?.toString()).toBe('x');
    expect(record.value?.toString()).toBe('{"id":" x "}');
  });

  it('takes what the caller says of the event', async () => {
    const options: PublishOptions = {
      eventId: 'mine',
      correlationId: 'order-process-7',
      causationId: 'cause',
      timestamp: new Date('1999-12-31T23:59:59.999+01:00'),
      headers: { tenant: 'blue', traceparent: '00-1-2-01', tracestate: 'x=y', grün: 'ja' },
      deadlineMs: 5,
    };
    const clock = new ManualClock(NOW);
    const event = await encode(OrderCreated, { orderId: 'o-1' }, options, encoder(10_000, clock));
    expect(textHeaders(event.record)).toEqual([
      ['event-id', 'mine'],
      ['event-type', 'order.created.v2'],
      ['correlation-id', 'order-process-7'],
      ['causation-id', 'cause'],
      ['event-time', '1999-12-31T22:59:59.999Z'],
      ['aggregate-id', 'o-1'],
      ['content-type', 'application/json'],
      ['tenant', 'blue'],
      ['traceparent', '00-1-2-01'],
      ['tracestate', 'x=y'],
      ['grün', 'ja'],
    ]);
    expect(event).toMatchObject({ deadlineMs: 5, deadlineAt: clock.now() + 5 });
  });

  it('keeps correlation and causation apart', async () => {
    const caused = await encode(OrderCreated, { orderId: 'o' }, { causationId: 'cause' });
    expect(textHeaders(caused.record)).toContainEqual(['correlation-id', 'id-1']);
    const correlated = await encode(OrderCreated, { orderId: 'o' }, { correlationId: 'all' });
    expect(textHeaders(correlated.record)).toContainEqual(['correlation-id', 'all']);
    expect(textHeaders(correlated.record).map(([name]) => name)).not.toContain('causation-id');
  });

  it.each(WALL_TIME_STEPS)(
    'says what time it is where that was set %s, and has its time from then on',
    async (_, stepMs) => {
      const clock = new ManualClock(NOW);
      const by = encoder(10_000, clock);
      clock.stepWallTime(stepMs);
      const { record, deadlineAt } = await encode(OrderCreated, { orderId: 'o' }, {}, by);
      expect(record.timestamp).toBe(NOW + stepMs);
      const eventTime = new Date(NOW + stepMs).toISOString();
      expect(textHeaders(record)).toContainEqual(['event-time', eventTime]);
      expect(deadlineAt - clock.now()).toBe(30_000);
    },
  );

  it('leaves retention alone: an event of long ago is a record of now', async () => {
    const { record } = await encode(OrderCreated, { orderId: 'o' }, { timestamp: new Date(0) });
    expect(record.timestamp).toBe(NOW);
  });

  it('reads the payload during the call and hands out none of it', async () => {
    let seen: unknown;
    const Async = defineEvent({
      type: 'a',
      version: 1,
      topic: 't',
      key: 'id',
      schema: z.object({ id: z.string() }).refine(async (value) => {
        seen = value;
        await Promise.resolve();
        return true;
      }),
    });
    const payload = { id: 'before' };
    const encoding = encode(Async, payload);
    payload.id = 'after';
    const { record } = await encoding;
    expect(record.value?.toString()).toBe('{"id":"before"}');
    expect(record.key?.toString()).toBe('before');
    expect(seen).toEqual({ id: 'before' });
  });

  it('answers at once where validation does', () => {
    const by = encoder();
    const contract = contractOf(OrderCreated);
    const encoded = by.encode(by.identify(contract, {}), contract, { orderId: 'o' }, {});
    expect(encoded).not.toBeInstanceOf(Promise);
    expect(encoded).toHaveProperty('record');
  });

  describe('refuses, with the id of the event,', () => {
    it.each<[string, unknown, string]>([
      ['what the schema refuses', { orderId: 'o', total: 1.5 }, 'total'],
      ['an empty value', undefined, ''],
      ['what JSON cannot carry', { orderId: 'o', total: 1n }, 'total'],
      ['a payload containing itself', circular(), 'self'],
    ])('%s', async (_, payload, path) => {
      const error = await refusal(encode(OrderCreated, payload, { eventId: 'mine' }));
      expect(error).toBeInstanceOf(InvalidEventError);
      expect(error).toMatchObject({
        code: 'INVALID_EVENT',
        eventId: 'mine',
        retryable: false,
        issues: [{ path }],
      });
    });

    it('what only JSON makes invalid: consumers could not read it', async () => {
      const Dated = defineEvent({
        type: 'a',
        version: 1,
        topic: 't',
        key: 'id',
        schema: z.object({ id: z.string(), at: z.date() }),
      });
      const error = await refusal(encode(Dated, { id: 'x', at: new Date() }));
      expect(error).toMatchObject({ code: 'INVALID_EVENT', issues: [{ path: 'at' }] });
    });

    it('a payload that an asynchronous schema refuses', async () => {
      const Async = defineEvent({
        type: 'a',
        version: 1,
        topic: 't',
        key: 'id',
        schema: z.object({ id: z.string() }).refine(() => Promise.resolve(false), 'not this one'),
      });
      const error = await refusal(encode(Async, { id: 'x' }, { eventId: 'mine' }));
      expect(error).toMatchObject({ eventId: 'mine', issues: [{ message: 'not this one' }] });
    });

    it.each<[string, string, () => string]>([
      ['an empty key', 'INVALID_EVENT', () => ''],
      [
        'a payload without its key',
        'INVALID_EVENT',
        () => {
          throw new InvalidPayloadError([{ path: '', message: 'it has no key' }]);
        },
      ],
      [
        'a key function that throws',
        'PUBLISH_REJECTED',
        () => {
          throw new TypeError('no such property');
        },
      ],
    ])('%s (%s)', async (_, code, keyOf) => {
      const contract: EventContract = { ...contractOf(OrderCreated), keyOf };
      const error = await refusal(encode(contract, { orderId: 'o' }, { eventId: 'mine' }));
      expect(error).toMatchObject({ code, eventId: 'mine' });
    });

    it('a contract that fails, whatever it throws, at once or later', async () => {
      const cause = new RangeError('lost the database');
      const contract = contractOf(OrderCreated);
      const failing: EventContract['validate'][] = [
        () => {
          throw cause;
        },
        () => Promise.reject(cause),
      ];
      for (const validate of failing) {
        const error = await refusal(encode({ ...contract, validate }, {}));
        expect(error).toBeInstanceOf(PublishRejectedError);
        expect(error.message).toContain('its contract threw RangeError');
        expect(error.cause).toBe(cause);
      }
    });

    it.each<[string, object, string]>([
      ['an empty event id', { eventId: '' }, 'options.eventId'],
      ['an event id that is no text', { eventId: 5 }, 'options.eventId'],
      ['a correlation id that is no text', { correlationId: 5 }, 'options.correlationId'],
      ['a causation id that is no text', { causationId: {} }, 'options.causationId'],
      ['an invalid date', { timestamp: new Date('soon') }, 'options.timestamp'],
      ['a timestamp that is no date', { timestamp: 5 }, 'options.timestamp'],
      ['a deadline of none', { deadlineMs: 0 }, 'options.deadlineMs'],
      ['a deadline that is no number', { deadlineMs: Number.NaN }, 'options.deadlineMs'],
      ['a deadline without end', { deadlineMs: Infinity }, 'options.deadlineMs'],
      ['a header that is no text', { headers: { n: 1 } }, 'options.headers.n'],
      ['a header without a name', { headers: { '': 'x' } }, 'options.headers'],
      ['a header of ours', { headers: { 'event-id': 'x' } }, 'options.headers.event-id'],
      ['a header of dead letters', { headers: { 'dlq-x': 'x' } }, 'options.headers.dlq-x'],
      ['a header of retries', { headers: { 'retry-x': 'x' } }, 'options.headers.retry-x'],
    ])('%s', async (_, options, path) => {
      const error = await refusal(encode(OrderCreated, { orderId: 'o' }, options));
      expect(error).toBeInstanceOf(InvalidEventError);
      expect(error).toMatchObject({ issues: [{ path }] });
    });

    it('a record of more bytes than allowed, counting key, value and headers', async () => {
      const payload = { orderId: 'o-1', note: 'x'.repeat(50) };
      const { bytes } = await encode(OrderCreated, payload);
      await encode(OrderCreated, payload, {}, encoder(bytes));
      const error = await refusal(encode(OrderCreated, payload, {}, encoder(bytes - 1)));
      expect(error).toBeInstanceOf(EventTooLargeError);
      expect(error).toMatchObject({ eventId: 'id-1', retryable: false });
      expect(error.message).toContain(
        `${bytes} bytes exceed producer.maxRecordBytes (${bytes - 1})`,
      );
    });
  });
});

function circular(): object {
  const payload: Record<string, unknown> = { orderId: 'o' };
  payload.self = payload;
  return payload;
}
