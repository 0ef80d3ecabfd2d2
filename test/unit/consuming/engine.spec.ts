import { describe, expect, it } from '@jest/globals';

import { DEAD_LETTER_HEADERS, HEADERS } from '../../../lib/contracts/event-headers.js';
import { NonRetryableEventError, RetryLaterError } from '../../../lib/kafka-events.errors.js';
import type { WireHeaders } from '../../../lib/kafka/records.js';
import { anyEvent, handlerOf, startEngine } from '../../support/engine.js';
import { eventually } from '../../support/eventually.js';
import { ManualClock } from '../../support/manual-clock.js';
import { WALL_TIME_STEPS } from '../../support/wall-time-steps.js';
import { ModelPartition } from '../../support/model-kafka.js';

const Created = anyEvent('order.created');
const Shipped = anyEvent('order.shipped');
const QUICK = { attempts: 5, initialDelayMs: 1, factor: 1, maxDelayMs: 1, jitter: 0 };

function headers(eventId: string | null, eventType = Created.eventType): WireHeaders {
  const type = [HEADERS.eventType, Buffer.from(eventType)] as const;
  return eventId === null ? [type] : [type, [HEADERS.eventId, Buffer.from(eventId)]];
}

function append(
  partition: ModelPartition,
  eventId: string,
  key = eventId,
  eventType?: string,
): void {
  const value = Buffer.from(JSON.stringify({ id: eventId }));
  partition.append({ key: Buffer.from(key), headers: headers(eventId, eventType), value });
}

function lastHeader(headers: WireHeaders, name: string): Buffer | null | undefined {
  return headers.findLast(([each]) => each === name)?.[1];
}

function idOf(payload: unknown): string {
  return (payload as { id: string }).id;
}

function deferred<T = void>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => undefined;
  const promise = new Promise<T>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}

describe('the engine', () => {
  it('handles each record once and commits past all of them', async () => {
    const partition = new ModelPartition('orders', 0);
    for (let i = 0; i < 1_000; i++) append(partition, `e${String(i)}`, `k${String(i % 10)}`);
    const handled: string[] = [];
    const engine = await startEngine(
      [partition],
      [handlerOf('h', [Created], (payload) => handled.push(idOf(payload)))],
    );
    engine.kafka.fetch(partition);
    await eventually(() => partition.committed === 1_000n);
    expect(handled).toHaveLength(1_000);
    expect(new Set(handled).size).toBe(1_000);
    expect(engine.count('handled')).toBe(1_000);
  });

  it('does not run a duplicate: settled and counted', async () => {
    const partition = new ModelPartition('orders', 0);
    append(partition, 'e1', 'k');
    append(partition, 'e1', 'k');
    let runs = 0;
    const engine = await startEngine([partition], [handlerOf('h', [Created], () => runs++)]);
    engine.kafka.fetch(partition);
    await eventually(() => partition.committed === 2n);
    expect(runs).toBe(1);
    expect(engine.count('duplicate')).toBe(1);
  });

  it('lets a duplicate under another key wait for the first one to end', async () => {
    const partition = new ModelPartition('orders', 0);
    append(partition, 'same', 'a');
    append(partition, 'same', 'b');
    const gate = deferred();
    let runs = 0;
    const engine = await startEngine(
      [partition],
      [
        handlerOf('h', [Created], () => {
          runs++;
          return gate.promise;
        }),
      ],
    );
    engine.kafka.fetch(partition);
    await eventually(() => engine.count('leaseWait') === 1);
    expect(partition.committed).toBeNull();
    gate.resolve();
    await eventually(() => partition.committed === 2n);
    expect(runs).toBe(1);
    expect(engine.count('duplicate')).toBe(1);
  });

  it('retries in the lane while other keys go on, and keeps the order of the key', async () => {
    const partition = new ModelPartition('orders', 0);
    append(partition, 'a1', 'a');
    append(partition, 'a2', 'a', Shipped.eventType);
    append(partition, 'b1', 'b');
    const order: string[] = [];
    let failures = 0;
    const body = (payload: unknown): void => {
      const id = idOf(payload);
      order.push(id);
      if (id === 'a1' && failures++ < 3) throw new Error('not yet');
    };
    const engine = await startEngine(
      [partition],
      [handlerOf('h', [Created, Shipped], body, { retry: QUICK })],
    );
    engine.kafka.fetch(partition);
    await eventually(() => partition.committed === 3n);
    expect(order.filter((id) => id.startsWith('a'))).toEqual(['a1', 'a1', 'a1', 'a1', 'a2']);
    expect(order.indexOf('b1')).toBeLessThan(order.lastIndexOf('a1'));
    expect(engine.count('attemptFailed')).toBe(3);
    expect(engine.deadLetters).toHaveLength(0);
  });

  it('counts attempts up for the handler', async () => {
    const partition = new ModelPartition('orders', 0);
    append(partition, 'e');
    const attempts: number[] = [];
    const engine = await startEngine(
      [partition],
      [
        handlerOf(
          'h',
          [Created],
          (_, context) => {
            attempts.push(context.attempt);
            throw new Error('always');
          },
          { retry: { ...QUICK, attempts: 3 } },
        ),
      ],
    );
    engine.kafka.fetch(partition);
    await eventually(() => partition.committed === 1n);
    expect(attempts).toEqual([1, 2, 3]);
    expect(engine.deadLetters).toHaveLength(1);
  });

  it('takes the delay that RetryLaterError asks for', async () => {
    const clock = new ManualClock();
    const partition = new ModelPartition('orders', 0);
    append(partition, 'e');
    let runs = 0;
    const engine = await startEngine(
      [partition],
      [
        handlerOf('h', [Created], () => {
          if (runs++ === 0) throw new RetryLaterError(7_000);
        }),
      ],
      { clock },
    );
    engine.kafka.fetch(partition);
    await clock.advanceAsync(6_999);
    expect(runs).toBe(1);
    await clock.advanceAsync(2);
    await eventually(() => runs === 2);
  });

  it.each([
    ['broken JSON', 'undecodable', { value: Buffer.from('{"id":') }],
    ['an unknown version', 'unknown-version', { headers: headers('x', 'order.created.v9') }],
    ['no event type among two', 'no-event-type', { headers: [] }],
  ])('dead-letters %s at once, as %s, and goes on', async (_, reason, record) => {
    const partition = new ModelPartition('orders', 0);
    const poison = partition.append({ key: Buffer.from('k'), headers: headers('p'), ...record });
    append(partition, 'good', 'k');
    const handled: string[] = [];
    const body = (payload: unknown): void => void handled.push(idOf(payload));
    const engine = await startEngine([partition], [handlerOf('h', [Created, Shipped], body)]);
    engine.kafka.fetch(partition);
    await eventually(() => partition.committed === 2n);
    expect(handled).toEqual(['good']);
    const [letter] = engine.deadLetters;
    expect(engine.deadLetters).toHaveLength(1);
    expect(letter?.topic).toBe('orders.dlq');
    expect(letter?.record.value).toBe(poison.value);
    expect(letter?.record.key).toBe(poison.key);
    expect(letter?.record.headers.slice(0, poison.headers.length)).toEqual(poison.headers);
    const header = (name: string): string | undefined =>
      lastHeader(letter?.record.headers ?? [], name)?.toString();
    expect(header(DEAD_LETTER_HEADERS.reason)).toBe(reason);
    expect(header(DEAD_LETTER_HEADERS.originalOffset)).toBe('0');
  });

  it.each([
    ['what cannot be read', 'order.created.v9'],
    ['what its handler gives up', 'order.created.v1'],
  ])('says by the time of day when it failed: %s', async (_, eventType) => {
    const clock = new ManualClock();
    const partition = new ModelPartition('orders', 0);
    append(partition, 'poison', 'k', eventType);
    const handler = handlerOf('h', [Created], () => {
      throw new NonRetryableEventError('never');
    });
    const engine = await startEngine([partition], [handler], { clock });
    engine.kafka.fetch(partition);
    await eventually(() => engine.deadLetters.length === 1);
    const headersOfIt = engine.deadLetters[0]?.record.headers ?? [];
    const { failedAt, firstFailedAt } = DEAD_LETTER_HEADERS;
    const times = [failedAt, firstFailedAt].map((name) =>
      lastHeader(headersOfIt, name)?.toString(),
    );
    const now = clock.wallTime().toISOString();
    expect(times).toEqual([now, now]);
  });

  it('settles what is not ours, and tombstones nobody asked for, without a handler', async () => {
    const partition = new ModelPartition('orders', 0);
    append(partition, 'other', 'k', 'invoice.sent.v1');
    partition.append({ key: Buffer.from('k'), value: null, headers: headers('t') });
    partition.append({ key: Buffer.from('k'), value: null });
    const engine = await startEngine(
      [partition],
      [
        handlerOf('h', [Created], () => {
          throw new Error('must not run');
        }),
      ],
    );
    engine.kafka.fetch(partition);
    await eventually(() => partition.committed === 3n);
    expect(engine.count('notOurs')).toBe(1);
    expect(engine.count('tombstone')).toBe(2);
    expect(engine.deadLetters).toHaveLength(0);
  });

  it('gives a tombstone as null to a handler that wants it', async () => {
    const partition = new ModelPartition('orders', 0);
    partition.append({ key: Buffer.from('k'), value: null, headers: headers('t') });
    const payloads: unknown[] = [];
    const body = (payload: unknown): void => void payloads.push(payload);
    const engine = await startEngine(
      [partition],
      [handlerOf('h', [Created], body, { tombstones: true })],
    );
    engine.kafka.fetch(partition);
    await eventually(() => partition.committed === 1n);
    expect(payloads).toEqual([null]);
  });

  it('derives the id of a record without one from its position', async () => {
    const partition = new ModelPartition('orders', 3);
    partition.append({ key: Buffer.from('k'), headers: headers(null) });
    const ids: string[] = [];
    const engine = await startEngine(
      [partition],
      [handlerOf('h', [Created], (_, context) => ids.push(context.eventId))],
    );
    engine.kafka.fetch(partition);
    await eventually(() => partition.committed === 1n);
    expect(ids).toEqual(['orders:3:0']);
    expect(engine.count('missingId')).toBe(1);
  });

  it('dead-letters a record without an id where the module says so', async () => {
    const partition = new ModelPartition('orders', 0);
    partition.append({ key: Buffer.from('k'), headers: headers(null) });
    const engine = await startEngine([partition], [handlerOf('h', [Created], () => undefined)], {
      settings: { missingId: 'dead-letter' },
    });
    engine.kafka.fetch(partition);
    await eventually(() => partition.committed === 1n);
    expect(engine.deadLetters).toHaveLength(1);
    expect(engine.count('handled')).toBe(0);
  });

  it('holds the offset while the dead letter is not acknowledged, and does not run the handler again', async () => {
    const partition = new ModelPartition('orders', 0);
    append(partition, 'poison', 'a');
    append(partition, 'good', 'b');
    let refusals = 0;
    let runs = 0;
    const engine = await startEngine(
      [partition],
      [
        handlerOf('h', [Created], (payload) => {
          if (idOf(payload) === 'good') return;
          runs++;
          throw new NonRetryableEventError('bad');
        }),
      ],
      {
        onDeadLetter: () => {
          if (refusals++ < 3) throw new Error('broker away');
        },
      },
    );
    engine.kafka.fetch(partition);
    await eventually(() => engine.count('deadLetterFailed') >= 1);
    expect(partition.committed).toBeNull();
    await eventually(() => partition.committed === 2n);
    expect(engine.count('deadLetterFailed')).toBe(3);
    expect(runs).toBe(1);
    expect(engine.deadLetters).toHaveLength(1);
  });

  it('runs two handlers of one event apart: one failing does not run the other again', async () => {
    const partition = new ModelPartition('orders', 0);
    append(partition, 'e');
    let good = 0;
    let bad = 0;
    const engine = await startEngine(
      [partition],
      [
        handlerOf('good', [Created], () => good++),
        handlerOf(
          'bad',
          [Created],
          () => {
            bad++;
            throw new Error('always');
          },
          { retry: { ...QUICK, attempts: 3 } },
        ),
      ],
    );
    engine.kafka.fetch(partition);
    await eventually(() => partition.committed === 1n);
    expect([good, bad]).toEqual([1, 3]);
    const [letter] = engine.deadLetters;
    const handler = lastHeader(letter?.record.headers ?? [], DEAD_LETTER_HEADERS.handler);
    expect(handler?.toString()).toBe('bad');
  });

  it('never runs more handlers at once than its concurrency, nor more than the group allows', async () => {
    const partition = new ModelPartition('orders', 0);
    for (let i = 0; i < 60; i++) append(partition, `c${String(i)}`);
    for (let i = 0; i < 60; i++) append(partition, `s${String(i)}`, undefined, Shipped.eventType);
    let running = 0;
    const most = { created: 0, shipped: 0, both: 0 };
    const counts = { created: 0, shipped: 0 };
    const body = (name: 'created' | 'shipped') => async (): Promise<void> => {
      running++;
      counts[name]++;
      most[name] = Math.max(most[name], counts[name]);
      most.both = Math.max(most.both, running);
      await new Promise((resolve) => setImmediate(resolve));
      counts[name]--;
      running--;
    };
    const engine = await startEngine(
      [partition],
      [
        handlerOf('created', [Created], body('created'), { concurrency: 3 }),
        handlerOf('shipped', [Shipped], body('shipped'), { concurrency: 5 }),
      ],
      { group: { maxConcurrency: 6 } },
    );
    engine.kafka.fetch(partition);
    await eventually(() => partition.committed === 120n);
    expect(most).toEqual({ created: 3, shipped: 5, both: 6 });
  });

  it('lets a slow handler hold up only its own event type', async () => {
    const partition = new ModelPartition('orders', 0);
    for (let i = 0; i < 50; i++) append(partition, `slow${String(i)}`);
    for (let i = 0; i < 50; i++)
      append(partition, `quick${String(i)}`, undefined, Shipped.eventType);
    const gate = deferred();
    let quick = 0;
    const engine = await startEngine(
      [partition],
      [
        handlerOf('slow', [Created], () => gate.promise, { concurrency: 1 }),
        handlerOf('quick', [Shipped], () => quick++, { concurrency: 1 }),
      ],
    );
    engine.kafka.fetch(partition);
    await eventually(() => quick === 50);
    expect(partition.committed).toBeNull();
    gate.resolve();
    await eventually(() => partition.committed === 100n);
  });

  it('does not wait for an exception filter longer than for its handler', async () => {
    const clock = new ManualClock();
    const partition = new ModelPartition('orders', 0);
    append(partition, 'e');
    const handler = handlerOf(
      'h',
      [Created],
      () => {
        throw new Error('always');
      },
      { timeoutMs: 1_000, retry: { ...QUICK, attempts: 1 } },
    );
    const hanging = { ...handler, filter: () => new Promise<null>(() => undefined) };
    const engine = await startEngine([partition], [hanging], { clock });
    engine.kafka.fetch(partition);
    await clock.advanceAsync(900);
    expect(engine.deadLetters).toHaveLength(0);
    await clock.advanceAsync(200);
    expect(engine.count('filterFailed')).toBe(1);
    expect(engine.deadLetters).toHaveLength(1);
    await clock.advanceAsync(100);
    expect(partition.committed).toBe(1n);
  });

  it.each(WALL_TIME_STEPS)(
    'aborts the signal of a handler on time where the time of day is set %s',
    async (_, stepMs) => {
      const clock = new ManualClock();
      const partition = new ModelPartition('orders', 0);
      append(partition, 'e');
      const gate = deferred();
      const running: AbortSignal[] = [];
      const handler = handlerOf(
        'h',
        [Created],
        (payload, { signal }) => {
          running.push(signal);
          return gate.promise;
        },
        { timeoutMs: 1_000 },
      );
      const engine = await startEngine([partition], [handler], { clock });
      engine.kafka.fetch(partition);
      await clock.advanceAsync(500);
      clock.stepWallTime(stepMs);
      await clock.advanceAsync(499);
      expect(running.map(({ aborted }) => aborted)).toEqual([false]);
      await clock.advanceAsync(1);
      expect(running.map(({ aborted }) => aborted)).toEqual([true]);
      gate.resolve();
    },
  );

  it('aborts the signal of a handler that takes too long, and lets it succeed late', async () => {
    const clock = new ManualClock();
    const partition = new ModelPartition('orders', 0);
    append(partition, 'e');
    const gate = deferred();
    let signal: AbortSignal | undefined;
    const engine = await startEngine(
      [partition],
      [
        handlerOf(
          'h',
          [Created],
          (_, context) => {
            ({ signal } = context);
            return gate.promise;
          },
          { timeoutMs: 1_000 },
        ),
      ],
      { clock },
    );
    engine.kafka.fetch(partition);
    await clock.advanceAsync(1_500);
    expect(signal?.aborted).toBe(true);
    expect(engine.count('handlerTimedOut')).toBe(1);
    gate.resolve();
    await clock.advanceAsync(100);
    expect(partition.committed).toBe(1n);
    expect(engine.count('handled')).toBe(1);
  });

  it('dead-letters after twice the timeout, moves the lane on and counts the leaked slot', async () => {
    const clock = new ManualClock();
    const partition = new ModelPartition('orders', 0);
    append(partition, 'hangs', 'k');
    append(partition, 'next', 'k');
    const gate = deferred();
    const ran: string[] = [];
    const engine = await startEngine(
      [partition],
      [
        handlerOf(
          'h',
          [Created],
          (payload) => {
            ran.push(idOf(payload));
            return idOf(payload) === 'hangs' ? gate.promise : undefined;
          },
          { timeoutMs: 1_000, concurrency: 2 },
        ),
      ],
      { clock },
    );
    engine.kafka.fetch(partition);
    await clock.advanceAsync(2_100);
    expect(ran).toEqual(['hangs', 'next']);
    expect(partition.committed).toBe(2n);
    expect(engine.count('slotLeaked')).toBe(1);
    const [letter] = engine.deadLetters;
    const reason = lastHeader(letter?.record.headers ?? [], DEAD_LETTER_HEADERS.reason);
    expect(reason?.toString()).toBe('timeout');
    gate.resolve();
  });
});

describe('the engine through a rebalance', () => {
  it('waits for running handlers, commits, and starts nothing new before the join', async () => {
    const partition = new ModelPartition('orders', 0);
    append(partition, 'running', 'a');
    append(partition, 'queued', 'a');
    const gate = deferred();
    const ran: string[] = [];
    const engine = await startEngine(
      [partition],
      [
        handlerOf('h', [Created], (payload) => {
          ran.push(idOf(payload));
          return gate.promise;
        }),
      ],
    );
    engine.kafka.fetch(partition);
    await eventually(() => ran.length === 1);
    const revoking = engine.consumer.onRevoking(engine.kafka.owned, 5_000);
    gate.resolve();
    await revoking;
    expect(ran).toEqual(['running']);
    expect(partition.committed).toBe(1n);
  });

  it('goes on where it was on a partition it keeps, without running anything twice', async () => {
    const partition = new ModelPartition('orders', 0);
    for (let i = 0; i < 200; i++) append(partition, `e${String(i)}`, `k${String(i % 20)}`);
    const ran: string[] = [];
    const engine = await startEngine(
      [partition],
      [
        handlerOf('h', [Created], async (payload) => {
          ran.push(idOf(payload));
          await new Promise((resolve) => setImmediate(resolve));
        }),
      ],
    );
    engine.kafka.fetch(partition);
    await eventually(() => ran.length > 30);
    await engine.kafka.rebalance([partition]);
    engine.kafka.fetch(partition);
    await eventually(() => partition.committed === 200n);
    expect(ran).toHaveLength(200);
    expect(engine.count('duplicate')).toBe(0);
  });

  it('drops what was queued on a partition it loses, and commits nothing of it afterwards', async () => {
    const partition = new ModelPartition('orders', 0);
    append(partition, 'outlives', 'a');
    append(partition, 'queued', 'a');
    const gate = deferred();
    const ran: string[] = [];
    const engine = await startEngine(
      [partition],
      [
        handlerOf('h', [Created], (payload) => {
          ran.push(idOf(payload));
          return gate.promise;
        }),
      ],
    );
    engine.kafka.fetch(partition);
    await eventually(() => ran.length === 1);
    await engine.kafka.rebalance([], 20);
    expect(engine.count('drainTimedOut')).toBe(1);
    gate.resolve();
    await eventually(() => engine.count('handled') === 1);
    expect(ran).toEqual(['outlives']);
    expect(partition.commits).toEqual([]);
  });

  it('does not run again what outlived the loss of its partition, once that is ours again', async () => {
    const partition = new ModelPartition('orders', 0);
    append(partition, 'outlives', 'a');
    const gate = deferred();
    let runs = 0;
    const engine = await startEngine(
      [partition],
      [
        handlerOf('h', [Created], () => {
          runs++;
          return gate.promise;
        }),
      ],
    );
    engine.kafka.fetch(partition);
    await eventually(() => runs === 1);
    engine.kafka.evict([partition]);
    engine.kafka.fetch(partition);
    await eventually(() => engine.count('leaseWait') === 1);
    gate.resolve();
    await eventually(() => partition.committed === 1n);
    expect(runs).toBe(1);
    expect(engine.count('duplicate')).toBe(1);
  });

  it('ends a retry that sleeps, and takes it up again when the partition stays', async () => {
    const clock = new ManualClock();
    const partition = new ModelPartition('orders', 0);
    append(partition, 'e');
    let runs = 0;
    const retry = { ...QUICK, initialDelayMs: 20_000, maxDelayMs: 20_000 };
    const engine = await startEngine(
      [partition],
      [
        handlerOf(
          'h',
          [Created],
          () => {
            if (runs++ === 0) throw new Error('first');
          },
          { retry },
        ),
      ],
      { clock },
    );
    engine.kafka.fetch(partition);
    await clock.advanceAsync(10);
    expect(runs).toBe(1);
    const rebalanced = engine.kafka.rebalance([partition]);
    await clock.advanceAsync(10);
    await rebalanced;
    await clock.advanceAsync(10);
    expect(runs).toBe(2);
    expect(partition.committed).toBe(1n);
  });

  it('ignores records fetched under an epoch that is over', async () => {
    const partition = new ModelPartition('orders', 0);
    append(partition, 'late');
    let runs = 0;
    const engine = await startEngine([partition], [handlerOf('h', [Created], () => runs++)]);
    const [stale] = engine.kafka.owned;
    engine.kafka.evict([partition]);
    engine.consumer.onRecords({
      topic: 'orders',
      partition: 0,
      epoch: stale?.epoch ?? -1,
      records: partition.log,
      nextOffset: 1n,
      highWatermark: 1n,
    });
    await new Promise((resolve) => setImmediate(resolve));
    expect(runs).toBe(0);
  });
});

describe('the engine under pressure', () => {
  it('pauses one partition whose span is full and leaves the others alone', async () => {
    const slow = new ModelPartition('orders', 0);
    const quick = new ModelPartition('orders', 1);
    for (let i = 0; i < 20; i++) append(slow, `s${String(i)}`, 'hot');
    const gate = deferred();
    let handled = 0;
    const engine = await startEngine(
      [slow, quick],
      [
        handlerOf('h', [Created], (payload) => {
          handled++;
          return idOf(payload) === 's0' ? gate.promise : undefined;
        }),
      ],
      { group: { maxSpan: 10 } },
    );
    engine.kafka.fetch(slow, 10);
    await eventually(() => engine.kafka.paused.has('orders[0]'));
    append(quick, 'q');
    engine.kafka.fetch(quick);
    await eventually(() => quick.committed === 1n);
    expect([...engine.kafka.paused]).toEqual(['orders[0]']);
    gate.resolve();
    await eventually(() => engine.kafka.paused.size === 0);
    engine.kafka.fetch(slow);
    await eventually(() => slow.committed === 20n);
    expect(handled).toBe(21);
  });

  it('pauses the partition that holds the bytes, not the one that holds few', async () => {
    const fat = new ModelPartition('orders', 0);
    const thin = new ModelPartition('orders', 1);
    const value = Buffer.from(JSON.stringify({ id: 'x'.repeat(10_000) }));
    fat.append({ key: Buffer.from('k'), headers: headers('fat'), value });
    append(thin, 'thin');
    const gate = deferred();
    const engine = await startEngine([fat, thin], [handlerOf('h', [Created], () => gate.promise)], {
      settings: { maxBufferedBytes: 8_000 },
    });
    engine.kafka.fetch(fat);
    engine.kafka.fetch(thin);
    expect([...engine.kafka.paused]).toEqual(['orders[0]']);
    gate.resolve();
    await eventually(() => engine.kafka.paused.size === 0);
  });

  it('keeps offsets dirty when a commit fails, and commits them when it can', async () => {
    const partition = new ModelPartition('orders', 0);
    append(partition, 'e');
    const engine = await startEngine([partition], [handlerOf('h', [Created], () => undefined)]);
    engine.kafka.refuseCommits = new Error('coordinator away');
    engine.kafka.fetch(partition);
    await eventually(() => engine.count('commitFailed') >= 2);
    expect(partition.committed).toBeNull();
    engine.kafka.refuseCommits = null;
    await eventually(() => partition.committed === 1n);
  });

  it('drains and commits on stop, and tells handlers that outlive it', async () => {
    const partition = new ModelPartition('orders', 0);
    append(partition, 'done', 'a');
    append(partition, 'hangs', 'b');
    const aborted = deferred<unknown>();
    const engine = await startEngine(
      [partition],
      [
        handlerOf('h', [Created], (payload, context) => {
          if (idOf(payload) === 'done') return;
          return new Promise((_, reject) => {
            context.signal.addEventListener('abort', () => {
              aborted.resolve(context.signal.reason);
              reject(new Error('stopped'));
            });
          });
        }),
      ],
    );
    engine.kafka.fetch(partition);
    await eventually(() => engine.count('handled') === 1);
    const stopping = engine.consumer.stop(20, 100);
    append(partition, 'late', 'c');
    // Nothing more is fetched while the last handlers finish.
    expect(engine.kafka.fetch(partition)).toBe(0);
    await stopping;
    expect(partition.committed).toBe(1n);
    expect(engine.kafka.stopped).toBe(true);
    expect(await aborted.promise).toMatchObject({ code: 'SHUTDOWN' });
    expect(engine.count('attemptFailed')).toBe(0);
  });
});
