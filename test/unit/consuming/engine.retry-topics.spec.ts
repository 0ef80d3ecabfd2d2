import { describe, expect, it } from '@jest/globals';

import { StallWatch } from '../../../lib/consuming/stall-watch.js';
import { RecordTroubles } from '../../../lib/observability/record-troubles.js';
import { SignalHub } from '../../../lib/observability/signal-hub.js';
import { onCleanup } from '../../support/cleanup.js';
import type { EventContext } from '../../../lib/consuming/event-context.js';
import type { BoundHandler } from '../../../lib/consuming/event-handler.js';
import type { HandlerSettings } from '../../../lib/consuming/handler-options.js';
import { RETRY_HEADERS } from '../../../lib/contracts/event-headers.js';
import { toRetryTopic } from '../../../lib/failure/parked-record.js';
import {
  DriverError,
  NonRetryableEventError,
  RetryLaterError,
} from '../../../lib/kafka-events.errors.js';
import { partitionName, type OutRecord, type WireHeaders } from '../../../lib/kafka/records.js';
import {
  anyEvent,
  batchHandlerOf,
  handlerOf,
  startEngine,
  type EngineOptions,
  type HandlerBody,
} from '../../support/engine.js';
import { append, idOf, settle } from '../../support/engine-events.js';
import { ManualClock } from '../../support/manual-clock.js';
import { inRecord, ModelPartition, type RecordContent } from '../../support/model-kafka.js';
import { WALL_TIME_STEPS } from '../../support/wall-time-steps.js';

const Created = anyEvent('order.created');
const TWICE = { attempts: 2, initialDelayMs: 10, factor: 1, maxDelayMs: 10, jitter: 0 };
const MINUTE = 60_000;
/** A minute, then ten. */
const LATER: Partial<HandlerSettings> = {
  retry: TWICE,
  retryTopic: { delaysMs: [MINUTE, 10 * MINUTE] },
};

interface Shop {
  readonly bodies: Readonly<Record<string, HandlerBody>>;
  readonly settings?: Partial<HandlerSettings>;
  readonly options?: EngineOptions;
}

/** A group with one topic and its retry topic, on a clock that stands still. */
class RetryShop {
  readonly clock = new ManualClock();
  readonly orders = new ModelPartition('orders', 0);
  readonly parked = new ModelPartition('orders.group.retry', 0);
  readonly #engine;

  constructor({ bodies, settings = LATER, options = {} }: Shop) {
    const handlers = Object.entries(bodies).map(([id, body]): BoundHandler =>
      handlerOf(id, [Created], body, settings),
    );
    const around = { ...options, clock: this.clock };
    this.#engine = startEngine([this.orders, this.parked], handlers, around);
  }

  get engine() {
    return this.#engine;
  }

  /** Milliseconds since the Unix epoch. */
  get wallTime(): number {
    return this.clock.wallTime().getTime();
  }

  /** Lets that much time go by, in steps, with both topics fetched all the while. */
  async passes(ms: number): Promise<void> {
    const { kafka } = await this.#engine;
    const until = this.clock.now() + ms;
    for (;;) {
      kafka.fetch(this.orders);
      kafka.fetch(this.parked);
      await settle(8);
      const left = until - this.clock.now();
      if (left <= 0) return;
      await this.clock.advanceAsync(Math.min(left, 10_000));
    }
  }
}

function headersOf(record: { readonly headers: WireHeaders } | undefined): Record<string, string> {
  return Object.fromEntries((record?.headers ?? []).map(([name, value]) => [name, String(value)]));
}

/** Fails for one event and remembers all calls. */
function failingFor(poison: string, error: () => Error = () => new Error('not today')) {
  const calls: string[] = [];
  const contexts: EventContext[] = [];
  const body: HandlerBody = (payload, context) => {
    calls.push(`${idOf(payload)}#${String(context.attempt)}`);
    contexts.push(context);
    if (idOf(payload) === poison) throw error();
  };
  return { calls, contexts, body };
}

describe('a handler with a retry topic', () => {
  it('parks what has failed in its lane, and goes on with the next of its key', async () => {
    const { calls, contexts, body } = failingFor('bad');
    const shop = new RetryShop({ bodies: { h: body } });
    append(shop.orders, 'before', { key: 'k' });
    append(shop.orders, 'bad', { key: 'k' });
    append(shop.orders, 'after', { key: 'k' });
    await shop.passes(1_000);

    const engine = await shop.engine;
    expect(calls).toEqual(['before#1', 'bad#1', 'bad#2', 'after#1']);
    expect(shop.orders.committed).toBe(3n);
    expect(engine.signals.find(({ name }) => name === 'parked')?.signal).toMatchObject({
      ...{ handlerId: 'h', topic: 'orders', offset: 1n, level: 1 },
      ...{ retryTopic: 'orders.group.retry', dueAt: shop.wallTime + MINUTE - 990 },
    });

    await shop.passes(MINUTE - 1_000);
    expect(calls).toHaveLength(4);
    await shop.passes(1_000);
    expect(calls.slice(4)).toEqual(['bad#3']);
    expect(contexts[4]).toMatchObject({ topic: 'orders', partition: 0, offset: '1' });
    expect(engine.deadLetters).toEqual([]);
  });

  it.each(WALL_TIME_STEPS)(
    'parks it, and waits for what is parked, by the time of day, which was set %s before',
    async (_, stepMs) => {
      const { calls, body } = failingFor('bad');
      const shop = new RetryShop({ bodies: { h: body } });
      shop.clock.stepWallTime(stepMs);
      append(shop.orders, 'bad');
      shop.parked.append(parkedRecord(shop, { id: 'theirs', dueAt: shop.wallTime + 2 * MINUTE }));
      await shop.passes(1_000);
      const engine = await shop.engine;
      expect(engine.signals.find(({ name }) => name === 'parked')?.signal).toMatchObject({
        dueAt: shop.wallTime + MINUTE - 990,
      });
      expect(shop.parked.log.at(-1)?.timestamp).toBe(shop.wallTime - 990);
      await shop.passes(MINUTE);
      expect(calls).toEqual(['bad#1', 'bad#2', 'bad#3']);
      await shop.passes(MINUTE - 1_001);
      expect(calls).toHaveLength(3);
      await shop.passes(1);
      expect(calls.slice(3)).toEqual(['theirs#6']);
    },
  );

  it.each(WALL_TIME_STEPS)(
    'waits for what is parked as long as it meant to where the time of day is set %s meanwhile',
    async (_, stepMs) => {
      const { calls, body } = failingFor('nothing');
      const shop = new RetryShop({ bodies: { h: body } });
      shop.parked.append(parkedRecord(shop, { id: 'theirs', dueAt: shop.wallTime + 2 * MINUTE }));
      await shop.passes(MINUTE);
      shop.clock.stepWallTime(stepMs);
      await shop.passes(MINUTE - 1);
      expect(calls).toEqual([]);
      await shop.passes(1);
      expect(calls).toEqual(['theirs#6']);
    },
  );

  it('gives it up after the last delay, as the record that it was', async () => {
    const { calls, body } = failingFor('bad');
    const shop = new RetryShop({ bodies: { h: body } });
    append(shop.orders, 'first');
    const extra: WireHeaders = [
      ['tag', null],
      ['tag', Buffer.from('x')],
    ];
    append(shop.orders, 'bad', { key: 'k', extra });
    await shop.passes(MINUTE + 10 * MINUTE + 10_000);

    const { deadLetters } = await shop.engine;
    expect(calls).toEqual(['first#1', 'bad#1', 'bad#2', 'bad#3', 'bad#4']);
    expect(deadLetters).toHaveLength(1);
    const [original, letter] = [shop.orders.log[1], deadLetters[0]];
    expect(letter?.topic).toBe('orders.dlq');
    expect(letter?.record).toMatchObject({ key: original?.key, value: original?.value });
    expect(letter?.record.headers.slice(0, original?.headers.length)).toEqual(original?.headers);
    const added = headersOf({
      headers: letter?.record.headers.slice(original?.headers.length) ?? [],
    });
    expect(Object.keys(added).filter((name) => !name.startsWith('dlq-'))).toEqual([]);
    expect(added).toMatchObject({
      ...{ 'dlq-original-topic': 'orders', 'dlq-original-offset': '1', 'dlq-attempts': '4' },
      ...{ 'dlq-reason': 'retries-exhausted', 'dlq-handler': 'h' },
      'dlq-first-failed-at': new Date(Date.UTC(2025, 0, 1)).toISOString(),
    });
    expect(shop.parked.committed).toBe(2n);
  });

  it('writes the same headers at each level, in place of those before', async () => {
    const { body } = failingFor('bad');
    const shop = new RetryShop({ bodies: { h: body } });
    append(shop.orders, 'bad');
    await shop.passes(MINUTE + 10_000);

    const [first, second] = shop.parked.log;
    expect(second?.headers.map(([name]) => name)).toEqual(first?.headers.map(([name]) => name));
    expect(headersOf(first)).toMatchObject({ 'retry-level': '1', 'retry-attempts': '2' });
    expect(headersOf(second)).toMatchObject({
      ...{ 'retry-level': '2', 'retry-attempts': '3', 'retry-original-offset': '0' },
      ...{ 'retry-error-class': 'Error', 'retry-error-message': 'not today' },
    });
  });

  it('settles what succeeds at last, which is then a duplicate everywhere', async () => {
    let away = true;
    const calls: string[] = [];
    const body: HandlerBody = (payload) => {
      calls.push(idOf(payload));
      if (away) throw new Error('away');
    };
    const shop = new RetryShop({ bodies: { h: body } });
    append(shop.orders, 'bad', { key: 'k' });
    await shop.passes(1_000);
    append(shop.orders, 'bad', { key: 'k' });
    await shop.passes(1_000);
    const engine = await shop.engine;
    expect(engine.signals.find(({ name }) => name === 'duplicate')?.signal).toMatchObject({
      state: 'parked',
    });
    away = false;
    await shop.passes(MINUTE);
    append(shop.orders, 'bad', { key: 'k' });
    await shop.passes(1_000);
    expect(calls).toEqual(['bad', 'bad', 'bad']);
    expect(engine.count('handled')).toBe(1);
    expect(engine.count('duplicate')).toBe(2);
    expect([shop.orders.committed, shop.parked.committed]).toEqual([3n, 1n]);
  });

  it('gets back what it gave up itself, and nothing of others', async () => {
    const failing = failingFor('bad');
    const healthy = failingFor('none');
    const shop = new RetryShop({ bodies: { failing: failing.body, healthy: healthy.body } });
    append(shop.orders, 'bad');
    await shop.passes(MINUTE + 1_000);
    expect(failing.calls).toEqual(['bad#1', 'bad#2', 'bad#3']);
    expect(healthy.calls).toEqual(['bad#1']);
  });

  it('gives up at once what is marked as hopeless, on any level', async () => {
    let error: () => Error = () => new Error('not today');
    const { calls, body } = failingFor('bad', () => error());
    const shop = new RetryShop({ bodies: { h: body } });
    append(shop.orders, 'bad');
    await shop.passes(1_000);
    error = () => new NonRetryableEventError('no');
    await shop.passes(MINUTE);
    const { deadLetters } = await shop.engine;
    expect(calls).toHaveLength(3);
    expect(deadLetters.map(({ record }) => headersOf(record)['dlq-reason'])).toEqual([
      'non-retryable',
    ]);
  });

  it('parks at once where a longer delay is asked for than a lane may wait', async () => {
    let delayMs = 5 * MINUTE;
    const { calls, body } = failingFor('bad', () => new RetryLaterError(delayMs));
    const shop = new RetryShop({ bodies: { h: body } });
    append(shop.orders, 'bad');
    await shop.passes(1_000);
    expect(calls).toHaveLength(1);
    expect(shop.parked.log).toHaveLength(1);
    delayMs = 20_000;
    await shop.passes(5 * MINUTE - 2_000);
    expect(calls).toHaveLength(1);
    await shop.passes(1_000);
    expect(calls).toHaveLength(2);
    // On a level everything is parked again, for as long as was asked.
    await shop.passes(19_000);
    expect(calls).toHaveLength(2);
    await shop.passes(1_000);
    expect(calls).toHaveLength(3);
  });

  it('waits in the lane where a lane may wait that long', async () => {
    const { calls, body } = failingFor('bad', () => new RetryLaterError(30_000));
    const shop = new RetryShop({ bodies: { h: body } });
    append(shop.orders, 'bad');
    await shop.passes(30_000);
    expect(calls).toEqual(['bad#1', 'bad#2']);
    expect(shop.parked.log).toHaveLength(1);
  });

  it('parks by the schedule of the error, where that has one', async () => {
    class Busy extends Error {}
    const schedules = [{ when: Busy, retryTopic: { delaysMs: [3 * MINUTE] } }];
    let error: () => Error = () => new Busy();
    const { body } = failingFor('bad', () => error());
    const shop = new RetryShop({
      bodies: { h: body },
      settings: { retry: { ...TWICE, schedules }, retryTopic: null },
    });
    append(shop.orders, 'bad', { key: 'k' });
    await shop.passes(1_000);
    expect(headersOf(shop.parked.log[0])['retry-due-at']).toBe(
      String(shop.wallTime + 3 * MINUTE - 990),
    );
    error = () => new Error('else');
    await shop.passes(3 * MINUTE);
    expect((await shop.engine).deadLetters).toHaveLength(1);
  });

  it('parks nothing in an outage, which is judged first', async () => {
    const body: HandlerBody = () => {
      throw new Error('the database is away');
    };
    const shop = new RetryShop({
      bodies: { h: body },
      settings: {
        ...LATER,
        retry: { ...TWICE, attempts: 1 },
        outage: { records: 4, failing: 0.5, maxProbeDelayMs: 30_000 },
      },
    });
    for (let i = 0; i < 20; i++) append(shop.orders, `e${String(i)}`);
    await shop.passes(5 * MINUTE);
    const engine = await shop.engine;
    expect(engine.count('outageBegan')).toBe(1);
    expect(engine.deadLetters).toEqual([]);
    // Those that failed before it could be known.
    expect(shop.parked.log.length).toBeLessThan(2);
  });

  it('takes what fails again and again for poison, not for an outage', async () => {
    const calls: string[] = [];
    const body: HandlerBody = (payload) => {
      calls.push(idOf(payload));
      if (idOf(payload).startsWith('bad')) throw new Error('never');
    };
    const delaysMs = Array.from({ length: 12 }, () => MINUTE);
    const shop = new RetryShop({
      bodies: { h: body },
      settings: {
        retry: TWICE,
        retryTopic: { delaysMs },
        outage: { records: 4, failing: 0.5, maxProbeDelayMs: 30_000 },
      },
    });
    append(shop.orders, 'bad');
    await shop.passes(13 * MINUTE);
    const engine = await shop.engine;
    expect(engine.count('outageBegan')).toBe(0);
    expect(calls).toHaveLength(14);
    expect(engine.deadLetters).toHaveLength(1);
  });

  it('holds the offset while the retry topic refuses, and does not run the handler again', async () => {
    const { calls, body } = failingFor('bad');
    let refusing = true;
    const onDeadLetter = (topic: string): void => {
      if (refusing && topic.endsWith('.retry')) throw new DriverError('unknown-topic', 'not here');
    };
    const shop = new RetryShop({ bodies: { h: body }, options: { onDeadLetter } });
    append(shop.orders, 'bad');
    await shop.passes(MINUTE);
    const engine = await shop.engine;
    expect(calls).toHaveLength(2);
    expect(shop.orders.committed).toBeNull();
    expect(engine.count('parkFailed')).toBeGreaterThan(5);
    refusing = false;
    await shop.passes(MINUTE);
    // Due since it failed, not since it could be written.
    expect(calls).toHaveLength(3);
    expect(shop.orders.committed).toBe(1n);
  });

  it('dead-letters what is too large for the retry topic', async () => {
    const { body } = failingFor('bad');
    const onDeadLetter = (topic: string): void => {
      if (topic.endsWith('.retry')) throw new DriverError('too-large', 'no');
    };
    const shop = new RetryShop({ bodies: { h: body }, options: { onDeadLetter } });
    append(shop.orders, 'bad');
    await shop.passes(1_000);
    const { deadLetters } = await shop.engine;
    expect(headersOf(deadLetters[0]?.record)['dlq-reason']).toBe('retries-exhausted');
    expect(shop.orders.committed).toBe(1n);
  });

  it('goes by the names and the number of its delays that it has now', async () => {
    const { calls, body } = failingFor('bad');
    const shop = new RetryShop({
      bodies: { 'Orders.now': body },
      settings: { ...LATER, aliases: ['Orders.before'], retryTopic: { delaysMs: [] } },
    });
    shop.parked.append(parkedRecord(shop, { handlerId: 'Orders.before', level: 3 }));
    await shop.passes(1_000);
    expect(calls).toEqual(['bad#6']);
    expect((await shop.engine).deadLetters).toHaveLength(1);
    expect(shop.parked.committed).toBe(1n);
  });
});

describe('a batch handler with a retry topic', () => {
  it('parks what it says is to be retried, and gets it back in a batch', async () => {
    const clock = new ManualClock();
    const orders = new ModelPartition('orders', 0);
    const parked = new ModelPartition('orders.group.retry', 0);
    for (const id of ['good', 'bad-1', 'bad-2']) append(orders, id, { key: 'k' });
    const batches: string[][] = [];
    const handler = batchHandlerOf(
      'h',
      [Created],
      (batch) => {
        batches.push(
          batch.payloads.map((payload, i) => {
            const { attempt, topic, offset } = batch.item(i);
            return `${idOf(payload)}#${String(attempt)} of ${topic}@${offset}`;
          }),
        );
        batch.payloads.forEach((payload, i) => {
          if (idOf(payload).startsWith('bad') && batches.length === 1) {
            batch.retry(i, new Error('not today'));
          }
        });
      },
      { retry: { ...TWICE, attempts: 1 }, retryTopic: { delaysMs: [MINUTE] } },
    );
    const engine = await startEngine([orders, parked], [handler], { clock });
    for (let i = 0; i < 62; i++) {
      engine.kafka.fetch(orders);
      engine.kafka.fetch(parked);
      await settle(5);
      await clock.advanceAsync(1_000);
    }
    await settle();
    expect(batches.flat()).toEqual([
      ...['good#1 of orders@0', 'bad-1#1 of orders@1', 'bad-2#1 of orders@2'],
      ...['bad-1#2 of orders@1', 'bad-2#2 of orders@2'],
    ]);
    expect([orders.committed, parked.committed]).toEqual([3n, 2n]);
    expect(engine.deadLetters).toEqual([]);
  });
});

describe('records of a retry topic', () => {
  it('wait with nothing in hand', async () => {
    const { calls, body } = failingFor('bad');
    const shop = new RetryShop({ bodies: { h: body }, settings: { ...LATER, concurrency: 1 } });
    append(shop.orders, 'bad');
    await shop.passes(1_000);
    for (let i = 0; i < 10; i++) append(shop.orders, `good${String(i)}`);
    await shop.passes(1_000);
    expect(calls).toHaveLength(12);
  });

  it('go in the order in which they are due, those due later first in the topic or not', async () => {
    const calls: string[] = [];
    const body: HandlerBody = (payload) => calls.push(idOf(payload));
    const shop = new RetryShop({ bodies: { h: body } });
    const due = { late: 3, soon: 1, middle: 2 };
    for (const [id, minutes] of Object.entries(due)) {
      const dueAt = shop.wallTime + minutes * MINUTE;
      shop.parked.append(parkedRecord(shop, { id, dueAt }));
    }
    await shop.passes(2.5 * MINUTE);
    expect(calls).toEqual(['soon', 'middle']);
    expect(shop.parked.committed).toBeNull();
    await shop.passes(MINUTE);
    expect(calls).toEqual(['soon', 'middle', 'late']);
    expect(shop.parked.committed).toBe(3n);
  });

  it('pause their partition, and no other, when so many wait', async () => {
    const calls: string[] = [];
    const shop = new RetryShop({
      bodies: { h: (payload) => calls.push(idOf(payload)) },
      options: {
        settings: {
          retryTopic: {
            delaysMs: null,
            topicName: (topic, groupId) => `${topic}.${groupId}.retry`,
            maxWaitingRecords: 4,
            maxWaitingBytes: 1_000_000,
          },
        },
      },
    });
    for (let i = 0; i < 4; i++) {
      const dueAt = shop.wallTime + (i + 1) * MINUTE;
      shop.parked.append(parkedRecord(shop, { id: `p${String(i)}`, dueAt }));
    }
    await shop.passes(1_000);
    const { kafka } = await shop.engine;
    expect([...kafka.paused]).toEqual([partitionName(shop.parked)]);
    append(shop.orders, 'ordinary');
    await shop.passes(1_000);
    expect(calls).toEqual(['ordinary']);
    await shop.passes(2 * MINUTE);
    expect(kafka.paused.size).toBe(0);
    expect(calls).toEqual(['ordinary', 'p0', 'p1']);
  });

  it('take no room from others: their bytes are counted apart', async () => {
    const calls: string[] = [];
    const shop = new RetryShop({
      bodies: { h: (payload) => calls.push(idOf(payload)) },
      options: { settings: { maxBufferedBytes: 500 } },
    });
    const dueAt = shop.wallTime + MINUTE;
    shop.parked.append(parkedRecord(shop, { id: 'large', dueAt, padding: 10_000 }));
    await shop.passes(1_000);
    append(shop.orders, 'ordinary');
    await shop.passes(1_000);
    const { kafka } = await shop.engine;
    expect(kafka.paused.size).toBe(0);
    expect(calls).toEqual(['ordinary']);
  });

  it('do not pass for a stall while they wait, and do when they should have gone on', async () => {
    let finish = (): void => undefined;
    const work = new Promise<void>((resolve) => (finish = resolve));
    const shop = new RetryShop({
      bodies: { h: () => work },
      settings: { ...LATER, timeoutMs: 60 * MINUTE },
    });
    const dueAt = shop.wallTime + 5 * MINUTE;
    shop.parked.append(parkedRecord(shop, { dueAt }));
    const { consumer } = await shop.engine;
    const troubles = new RecordTroubles(() => shop.clock.now());
    const watch = new StallWatch(() => [consumer], troubles, new SignalHub([]), shop.clock);
    watch.start();
    onCleanup(() => {
      watch.stop();
    });
    await shop.passes(5 * MINUTE);
    expect(watch.stalled).toEqual([]);
    await shop.passes(MINUTE + 6_000);
    expect(watch.stalled).toMatchObject([
      { topic: 'orders.group.retry', offset: '0', handlers: ['h'] },
    ]);
    finish();
  });

  it('do not hold up a rebalance, and wait on wherever they are then', async () => {
    const { calls, body } = failingFor('bad');
    const shop = new RetryShop({ bodies: { h: body } });
    append(shop.orders, 'bad');
    await shop.passes(1_000);
    const { kafka } = await shop.engine;
    // Moves no clock: nothing may wait for time here.
    await kafka.rebalance([shop.orders]);
    await shop.passes(2 * MINUTE);
    expect(calls).toHaveLength(2);
    await kafka.rebalance([shop.orders, shop.parked]);
    await shop.passes(1_000);
    expect(calls).toHaveLength(3);
    expect(shop.parked.committed).toBe(1n);
  });

  it('wait for as long as an operator holds their topic', async () => {
    const { calls, body } = failingFor('bad');
    const shop = new RetryShop({ bodies: { h: body } });
    append(shop.orders, 'bad');
    await shop.passes(1_000);
    const { consumer } = await shop.engine;
    consumer.holdTopics((topic) => topic === 'orders');
    await shop.passes(2 * MINUTE);
    expect(calls).toHaveLength(2);
    consumer.holdTopics(() => false);
    await shop.passes(1_000);
    expect(calls).toHaveLength(3);
  });

  it('are dead-lettered under their own position when their handler is gone', async () => {
    const { calls, body } = failingFor('bad');
    const shop = new RetryShop({ bodies: { h: body } });
    shop.parked.append(parkedRecord(shop, { handlerId: 'gone' }));
    await shop.passes(1_000);
    const { deadLetters } = await shop.engine;
    expect(calls).toEqual([]);
    expect(deadLetters.map(({ topic }) => topic)).toEqual(['orders.dlq']);
    expect(headersOf(deadLetters[0]?.record)).toMatchObject({
      ...{ 'dlq-reason': 'unknown-handler', 'dlq-handler': 'gone', 'dlq-attempts': '5' },
      ...{ 'dlq-original-topic': 'orders', 'dlq-original-offset': '41' },
    });
    expect(shop.parked.committed).toBe(1n);
  });

  it.each<[string, (content: Partial<RecordContent>) => Partial<RecordContent>]>([
    ['have none of our headers', (content) => ({ ...content, headers: [] })],
    ['lack one of our headers', (content) => without(content, RETRY_HEADERS.dueAt)],
    ['have one that is no number', (content) => withHeader(content, RETRY_HEADERS.level, 'x')],
    [
      'have one that is no time',
      (content) => withHeader(content, RETRY_HEADERS.firstFailedAt, 'x'),
    ],
    ['say another topic', (content) => withHeader(content, RETRY_HEADERS.originalTopic, 'bills')],
  ])('that %s are not believed: dead letters of their source', async (_, spoil) => {
    const { calls, body } = failingFor('bad');
    const shop = new RetryShop({ bodies: { h: body } });
    shop.parked.append(spoil(parkedRecord(shop, {})));
    await shop.passes(1_000);
    const { deadLetters } = await shop.engine;
    expect(calls).toEqual([]);
    expect(deadLetters.map(({ topic }) => topic)).toEqual(['orders.dlq']);
    expect(headersOf(deadLetters[0]?.record)).toMatchObject({
      ...{ 'dlq-reason': 'undecodable', 'dlq-original-topic': 'orders.group.retry' },
    });
    expect(shop.parked.committed).toBe(1n);
  });

  it('of another group are left to that', async () => {
    const { calls, body } = failingFor('bad');
    const shop = new RetryShop({ bodies: { h: body } });
    shop.parked.append(parkedRecord(shop, { groupId: 'other' }));
    await shop.passes(1_000);
    const engine = await shop.engine;
    expect(calls).toEqual([]);
    expect(engine.deadLetters).toEqual([]);
    expect(engine.count('notOurs')).toBe(1);
    expect(shop.parked.committed).toBe(1n);
  });

  it('are never hidden for longer than a day, whatever they say', async () => {
    const { calls, body } = failingFor('bad');
    const shop = new RetryShop({ bodies: { h: body } });
    shop.parked.append(parkedRecord(shop, { dueAt: shop.wallTime + 1e12 }));
    await shop.passes(24 * 60 * MINUTE + 10_000);
    expect(calls).toHaveLength(1);
  });
});

describe('retry-* headers of a record of its own topic', () => {
  it('are anybody’s: not believed, and kept byte for byte through the retry topic', async () => {
    const { calls, body, contexts } = failingFor('bad');
    const shop = new RetryShop({ bodies: { h: body } });
    const theirs = Object.values(RETRY_HEADERS).map(
      (name) => [name, Buffer.from('theirs')] as const,
    );
    append(shop.orders, 'bad', { extra: [...theirs, ['after', Buffer.from('1')]] });
    const [original] = shop.orders.log;
    await shop.passes(11 * MINUTE + 10_000);
    expect(calls).toEqual(['bad#1', 'bad#2', 'bad#3', 'bad#4']);
    expect(contexts.map(({ headers }) => headers)).toEqual(
      Array.from({ length: 4 }, () => original?.headers),
    );
    const { deadLetters } = await shop.engine;
    expect(deadLetters[0]?.record.headers.slice(0, original?.headers.length)).toEqual(
      original?.headers,
    );
  });
});

interface ParkedContent {
  readonly id?: string;
  readonly handlerId?: string;
  readonly groupId?: string;
  readonly level?: number;
  readonly dueAt?: number;
  readonly padding?: number;
}

/** A record as a group would have parked it after five attempts: offset 41 of `orders`. */
function parkedRecord(shop: RetryShop, content: ParkedContent): OutRecord {
  const { id = 'bad', handlerId = 'h', groupId = 'group', level = 1, padding = 0 } = content;
  const value = Buffer.from(JSON.stringify({ id, padding: 'x'.repeat(padding) }));
  const headers: WireHeaders = [
    ['event-type', Buffer.from('order.created.v1')],
    ['event-id', Buffer.from(id)],
  ];
  const now = shop.wallTime;
  const parked = {
    origin: { topic: 'orders', partition: 0 },
    record: inRecord({ offset: 41n, key: Buffer.from(id), value, headers }),
    ...{ groupId, handlerId, level, dueAt: content.dueAt ?? now, attempts: 5 },
    firstFailedAt: new Date(now),
  };
  return toRetryTopic(parked, new Error('not today'), now, (text) => text);
}

function without(content: Partial<RecordContent>, name: string): Partial<RecordContent> {
  return { ...content, headers: (content.headers ?? []).filter(([each]) => each !== name) };
}

function withHeader(content: Partial<RecordContent>, name: string, text: string) {
  const { headers = [] } = without(content, name);
  return { ...content, headers: [...headers, [name, Buffer.from(text)] as const] };
}
