import { describe, expect, it } from '@jest/globals';

import { ConsumerControl } from '../../../../lib/consuming/consumer-control.js';
import { DirectDoor } from '../../../../lib/consuming/direct/direct-door.js';
import type { DirectRecord } from '../../../../lib/consuming/direct/direct-record.js';
import type { EventContext } from '../../../../lib/consuming/event-context.js';
import type { HandlerSettings } from '../../../../lib/consuming/handler-options.js';
import { systemClock, type Clock } from '../../../../lib/contracts/clock.js';
import { HEADERS } from '../../../../lib/contracts/event-headers.js';
import {
  DirectDeliveryError,
  InvalidPayloadError,
  NonRetryableEventError,
} from '../../../../lib/kafka-events.errors.js';
import { append, settle } from '../../../support/engine-events.js';
import {
  anyEvent,
  handlerOf,
  startEngine,
  type Engine,
  type EngineOptions,
  type HandlerBody,
} from '../../../support/engine.js';
import { eventually } from '../../../support/eventually.js';
import { fragileStore, type FragileStore } from '../../../support/fragile-store.js';
import { ManualClock } from '../../../support/manual-clock.js';
import { WALL_TIME_STEPS } from '../../../support/wall-time-steps.js';
import { ModelPartition } from '../../../support/model-kafka.js';
import { rejectionOf } from '../../../support/thrown-by.js';

const Created = anyEvent('order.created');
const DIRECT = { acceptsDirect: true };

function directRecord(eventId: string | null, over: Partial<DirectRecord> = {}): DirectRecord {
  const id: [string, Buffer][] = eventId === null ? [] : [[HEADERS.eventId, Buffer.from(eventId)]];
  return {
    topic: 'orders',
    key: Buffer.from('k'),
    value: Buffer.from(JSON.stringify({ id: eventId })),
    headers: [[HEADERS.eventType, Buffer.from('order.created.v1')], ...id],
    timestamp: 0,
    ...over,
  };
}

interface Shop {
  readonly engine: Engine;
  readonly door: DirectDoor;
  readonly partition: ModelPartition;
  readonly store: FragileStore;
  /** The record comes from Kafka, too, and all that it waits for happens. */
  kafkaCopy(eventId: string): Promise<void>;
}

interface ShopOptions extends EngineOptions {
  readonly maxInFlight?: number;
  readonly clock?: Clock;
}

async function openShop(
  bodies: Record<string, HandlerBody>,
  settings: Partial<HandlerSettings> | ((id: string) => Partial<HandlerSettings>) = DIRECT,
  { clock = systemClock, maxInFlight = 64, ...options }: ShopOptions = {},
): Promise<Shop> {
  const partition = new ModelPartition('orders', 0);
  const store = fragileStore(clock);
  const settingsOf = typeof settings === 'function' ? settings : () => settings;
  const handlers = Object.entries(bodies).map(([id, body]) =>
    handlerOf(id, [Created], body, settingsOf(id)),
  );
  const engine = await startEngine([partition], handlers, { clock, store, ...options });
  const door = new DirectDoor({
    groups: () => [engine.consumer.direct],
    deadLetterTopic: (topic) => `${topic}.dlq`,
    maxInFlight,
    deadlineMs: 30_000,
    signals: { emit: (name, signal) => void engine.signals.push({ name, signal }) },
    clock,
  });
  return {
    engine,
    door,
    partition,
    store,
    kafkaCopy: async (eventId) => {
      append(partition, eventId, { key: 'k' });
      engine.kafka.fetch(partition);
      await settle();
    },
  };
}

async function reasonOf(delivery: Promise<unknown>): Promise<string> {
  const error = await rejectionOf(() => delivery);
  expect(error).toBeInstanceOf(DirectDeliveryError);
  return (error as DirectDeliveryError).reason;
}

/** A handler that minds its signal. */
function untilAborted({ signal }: EventContext): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => {
      reject(new Error('told to stop'));
    });
  });
}

function signalsNamed({ engine }: Shop, name: string): unknown[] {
  return engine.signals.filter((each) => each.name === name);
}

describe('an event that is delivered directly', () => {
  it('goes to the handler that has opted in, and its copy from Kafka is a duplicate', async () => {
    const seen: string[] = [];
    const shop = await openShop({ h: (payload) => void seen.push(JSON.stringify(payload)) });

    const receipt = await shop.door.deliver(directRecord('e1'));
    await shop.kafkaCopy('e1');

    expect(receipt.handlers).toEqual([
      { groupId: 'group', handlerId: 'h', outcome: 'handled', error: null },
    ]);
    expect(seen).toEqual(['{"id":"e1"}']);
    expect(shop.engine.count('duplicate')).toBe(1);
    expect(shop.engine.consumer.partitions[0]?.tracker.watermark).toBe(1n);
  });

  it('is a duplicate itself when the record from Kafka was first', async () => {
    const shop = await openShop({ h: () => undefined });
    await shop.kafkaCopy('e1');

    const { handlers } = await shop.door.deliver(directRecord('e1'));

    expect(handlers).toMatchObject([{ outcome: 'duplicate' }]);
    expect(shop.engine.count('handled')).toBe(1);
  });

  it('is refused when the record from Kafka was given up before: nobody has handled it', async () => {
    const shop = await openShop({
      h: () => {
        throw new NonRetryableEventError('no such customer');
      },
    });
    await shop.kafkaCopy('e1');
    expect(shop.engine.count('deadLettered')).toBe(1);

    expect(await reasonOf(shop.door.deliver(directRecord('e1')))).toBe('rejected');
  });

  it('has no place in Kafka, and its handler can tell', async () => {
    const seen: Partial<EventContext>[] = [];
    const shop = await openShop({
      h: (_, { direct, topic, partition, offset, eventId, attempt, aggregateId }) => {
        seen.push({ direct, topic, partition, offset, eventId, attempt, aggregateId });
      },
    });

    await shop.door.deliver(directRecord('e1'));
    await shop.kafkaCopy('e2');

    const same = { topic: 'orders', attempt: 1, aggregateId: 'k' };
    expect(seen).toEqual([
      { ...same, direct: true, partition: -1, offset: '-1', eventId: 'e1' },
      { ...same, direct: false, partition: 0, offset: '0', eventId: 'e2' },
    ]);
  });

  it('is answered after its claim is marked, not before', async () => {
    const clock = new ManualClock();
    const shop = await openShop({ h: () => undefined }, DIRECT, { clock });
    shop.store.away = 'completions';
    let answered = false;
    const delivery = shop.door.deliver(directRecord('e1')).then(() => (answered = true));
    await settle();
    expect(shop.engine.count('storeFailed')).toBe(1);
    expect(answered).toBe(false);

    shop.store.away = 'nothing';
    await clock.advanceAsync(2_000);
    await delivery;
    expect(answered).toBe(true);
  });

  it('goes to those who have opted in now, and to the others when the copy comes', async () => {
    const seen: string[] = [];
    const shop = await openShop(
      { now: () => void seen.push('now'), later: () => void seen.push('later') },
      (id) => ({ acceptsDirect: id === 'now' }),
    );

    const { handlers } = await shop.door.deliver(directRecord('e1'));
    expect(seen).toEqual(['now']);
    await shop.kafkaCopy('e1');

    expect(handlers).toMatchObject([
      { handlerId: 'now', outcome: 'handled' },
      { handlerId: 'later', outcome: 'left-to-kafka' },
    ]);
    expect(seen).toEqual(['now', 'later']);
  });

  it('is remembered beyond the window, since its copy may be long in coming', async () => {
    const clock = new ManualClock();
    let runs = 0;
    const directDelivery = {
      transport: { name: 'test', listen: () => Promise.resolve(), close: () => Promise.resolve() },
      ...{ deadlineMs: 30_000, maxInFlight: 64, rememberMs: 600_000 },
    };
    const shop = await openShop({ h: () => runs++ }, DIRECT, {
      clock,
      settings: { directDelivery },
    });
    await shop.door.deliver(directRecord('e1'));

    await clock.advanceAsync(590_000);
    await shop.kafkaCopy('e1');
    expect(runs).toBe(1);

    await clock.advanceAsync(60_000);
    await shop.kafkaCopy('e1');
    expect(runs).toBe(2);
  });
});

describe('a direct delivery that fails', () => {
  it('costs no attempt, leaves no dead letter, and the copy is handled', async () => {
    const attempts: number[] = [];
    let down = true;
    const once = { attempts: 1, initialDelayMs: 1, factor: 1, maxDelayMs: 1, jitter: 0 };
    const shop = await openShop(
      {
        h: (_, { attempt }) => {
          attempts.push(attempt);
          if (down) throw new Error('down');
        },
      },
      { ...DIRECT, retry: once },
    );

    for (let i = 0; i < 3; i++) {
      const error = await rejectionOf(() => shop.door.deliver(directRecord('e1')));
      expect(error).toMatchObject({ reason: 'failed', retryable: true });
    }
    down = false;
    await shop.kafkaCopy('e1');

    expect(attempts).toEqual([1, 1, 1, 1]);
    expect(shop.engine.deadLetters).toEqual([]);
    expect(shop.engine.count('handled')).toBe(1);
    expect(signalsNamed(shop, 'directFailed')).toHaveLength(3);
  });

  it('does not begin an outage, however often it is repeated', async () => {
    const shop = await openShop(
      {
        h: () => {
          throw new Error('poison');
        },
      },
      { ...DIRECT, outage: { records: 2, failing: 0.5, maxProbeDelayMs: 1_000 } },
    );
    for (let i = 0; i < 5; i++) {
      expect(await reasonOf(shop.door.deliver(directRecord('e1')))).toBe('failed');
    }
    expect(shop.engine.count('outageBegan')).toBe(0);
  });

  it.each([
    ['its payload', () => new InvalidPayloadError([{ path: 'id', message: 'must be a UUID' }])],
    ['what its handler says of it', () => new NonRetryableEventError('no such order')],
  ])('by %s is rejected, and not dead-lettered either', async (_, error) => {
    const shop = await openShop({
      h: () => {
        throw error();
      },
    });
    const thrown = await rejectionOf(() => shop.door.deliver(directRecord('e1')));
    expect(thrown).toMatchObject({ reason: 'rejected', retryable: false });
    expect(thrown).toHaveProperty('message', expect.stringContaining(error().message));
    expect(shop.engine.deadLetters).toEqual([]);
  });

  it('by bytes that are no JSON is rejected without a call', async () => {
    let runs = 0;
    const shop = await openShop({ h: () => runs++ });
    const value = Buffer.from('{');
    expect(await reasonOf(shop.door.deliver(directRecord('e1', { value })))).toBe('rejected');
    expect(runs).toBe(0);
  });

  it('in one handler of two names both, and runs only that one again', async () => {
    const runs: string[] = [];
    let down = true;
    const shop = await openShop({
      good: () => void runs.push('good'),
      bad: () => {
        runs.push('bad');
        if (down) throw new Error('down');
      },
    });
    const error = await rejectionOf(() => shop.door.deliver(directRecord('e1')));
    expect(error).toMatchObject({ reason: 'failed' });
    expect(error).toHaveProperty('message', expect.stringMatching(/good handled; bad failed/));
    down = false;
    const { handlers } = await shop.door.deliver(directRecord('e1'));
    expect(handlers.map(({ outcome }) => outcome)).toEqual(['duplicate', 'handled']);
    expect(runs).toEqual(['good', 'bad', 'bad']);
  });
});

describe('a direct delivery that cannot be handled now', () => {
  it('is in progress while the record from Kafka is handled, and the other way round', async () => {
    const running: (() => void)[] = [];
    const shop = await openShop({ h: () => new Promise<void>((resolve) => running.push(resolve)) });
    await shop.kafkaCopy('e1');
    expect(await reasonOf(shop.door.deliver(directRecord('e1')))).toBe('in-progress');
    running.shift()?.();

    const direct = shop.door.deliver(directRecord('e2'));
    await settle();
    await shop.kafkaCopy('e2');
    expect(running).toHaveLength(1);
    running.shift()?.();
    await direct;
    await eventually(() => shop.engine.consumer.partitions[0]?.tracker.watermark === 2n);
    expect(shop.engine.count('handled')).toBe(2);
  });

  it('is held while its handler, topic or group is paused', async () => {
    const shop = await openShop({ h: () => undefined });
    const control = new ConsumerControl(systemClock, { emit: () => undefined });
    control.attach(shop.engine.consumer);
    for (const target of [{ handlerId: 'h' }, { topic: 'orders' }, { groupId: 'group' }]) {
      control.pause(target);
      expect(await reasonOf(shop.door.deliver(directRecord('e1')))).toBe('held');
      control.resume(target);
    }
    await shop.door.deliver(directRecord('e1'));
  });

  it('is held in an outage, and does not probe', async () => {
    let down = true;
    const clock = new ManualClock();
    let runs = 0;
    const shop = await openShop(
      {
        h: () => {
          runs++;
          if (down) throw new Error('down');
        },
      },
      { ...DIRECT, outage: { records: 2, failing: 0.5, maxProbeDelayMs: 1_000 } },
      { clock },
    );
    await shop.kafkaCopy('k1');
    expect(shop.engine.count('outageBegan')).toBe(1);
    down = false;
    runs = 0;
    await clock.advanceAsync(900);
    expect(await reasonOf(shop.door.deliver(directRecord('e1')))).toBe('held');
    expect(runs).toBe(0);
  });

  it('is told that the store is away, even where records are handled without it', async () => {
    let runs = 0;
    const shop = await openShop({ h: () => runs++ }, DIRECT);
    shop.store.away = 'everything';
    expect(await reasonOf(shop.door.deliver(directRecord('e1')))).toBe('store-away');
    expect(runs).toBe(0);
    shop.store.away = 'nothing';
    await shop.door.deliver(directRecord('e1'));
    expect(runs).toBe(1);
  });

  it('is refused beyond so many at once', async () => {
    const running: (() => void)[] = [];
    const body = () => new Promise<void>((resolve) => running.push(resolve));
    const shop = await openShop({ h: body }, DIRECT, { maxInFlight: 2 });
    const two = ['e1', 'e2'].map((id) => shop.door.deliver(directRecord(id)));
    await settle();
    expect(await reasonOf(shop.door.deliver(directRecord('e3')))).toBe('busy');
    for (const end of running) end();
    await Promise.all(two);
    const third = shop.door.deliver(directRecord('e3'));
    await settle();
    running.at(-1)?.();
    await third;
  });
});

describe('a handler that does not come back in time', () => {
  const timeoutMs = 1_000;

  async function openWithClock(more: Omit<ShopOptions, 'clock'> = {}) {
    const clock = new ManualClock();
    const running: (() => void)[] = [];
    const body = () => new Promise<void>((resolve) => running.push(resolve));
    const shop = await openShop({ h: body }, { ...DIRECT, timeoutMs }, { clock, ...more });
    return { clock, running, shop };
  }

  it('keeps its claim until it does: its copy does not run beside it', async () => {
    const { clock, running, shop } = await openWithClock();
    const reason = reasonOf(shop.door.deliver(directRecord('e1')));
    await settle();
    await clock.advanceAsync(2 * timeoutMs);
    expect(await reason).toBe('failed');
    await shop.kafkaCopy('e1');
    await clock.advanceAsync(60_000);
    await settle();
    expect(running).toHaveLength(1);

    running[0]?.();
    await settle();
    expect(running).toHaveLength(2);
    running[1]?.();
    await settle();
    expect(shop.engine.count('handled')).toBe(1);
  });

  it('has all its time, although whoever delivered has left long before', async () => {
    const { clock, running, shop } = await openWithClock();
    const reason = reasonOf(
      shop.door.deliver(directRecord('e1'), { deadlineAt: clock.wallTime().getTime() + 500 }),
    );
    await settle();
    await clock.advanceAsync(2 * timeoutMs - 1);
    expect(await reason).toBe('late');
    expect(shop.engine.count('handlerTimedOut')).toBe(1);
    running[0]?.();
    await settle();
    await shop.kafkaCopy('e1');
    expect(running).toHaveLength(1);
    expect(shop.engine.count('duplicate')).toBe(1);
  });

  it.each([
    ['late', 500],
    ['failed', 3_000],
  ])('counts towards maxInFlight until it does, answered by then: %s', async (answer, inMs) => {
    const { clock, running, shop } = await openWithClock({ maxInFlight: 1 });
    const deadlineAt = clock.wallTime().getTime() + inMs;
    const reason = reasonOf(shop.door.deliver(directRecord('e1'), { deadlineAt }));
    await settle();
    await clock.advanceAsync(inMs);
    expect(await reason).toBe(answer);
    expect(await reasonOf(shop.door.deliver(directRecord('e2')))).toBe('busy');

    running[0]?.();
    await settle();
    const next = shop.door.deliver(directRecord('e2'));
    await settle();
    running[1]?.();
    await next;
    // At once: who is answered that all is done may deliver the next.
    const another = shop.door.deliver(directRecord('e3'));
    await settle();
    running[2]?.();
    await another;
  });
});

describe('slots', () => {
  it('are shared with the records of Kafka', async () => {
    let most = 0;
    const running: (() => void)[] = [];
    const body = () =>
      new Promise<void>((resolve) => {
        running.push(resolve);
        most = Math.max(most, running.length);
      });
    const shop = await openShop({ h: body }, { ...DIRECT, concurrency: 1 });
    await shop.kafkaCopy('k1');
    const direct = shop.door.deliver(directRecord('e1'));
    await settle();
    expect(running).toHaveLength(1);
    running.pop()?.();
    await settle();
    expect(running).toHaveLength(1);
    running.pop()?.();
    await direct;
    expect(most).toBe(1);
  });
});

describe('the deadline of a direct delivery', () => {
  it('aborts the signal of what runs, and answers at once', async () => {
    const clock = new ManualClock();
    let signal: AbortSignal | undefined;
    const shop = await openShop(
      {
        h: (_, context) => {
          ({ signal } = context);
          return untilAborted(context);
        },
      },
      DIRECT,
      { clock },
    );
    const reason = reasonOf(
      shop.door.deliver(directRecord('e1'), { deadlineAt: clock.wallTime().getTime() + 500 }),
    );
    await settle();
    expect(signal?.aborted).toBe(false);
    await clock.advanceAsync(500);
    expect(await reason).toBe('late');
    expect(signal?.aborted).toBe(true);
  });

  it.each(WALL_TIME_STEPS)(
    'goes by the time of day, also where that was set %s, and then by the time that is left',
    async (_, stepMs) => {
      const clock = new ManualClock();
      const shop = await openShop({ h: (__, context) => untilAborted(context) }, DIRECT, { clock });
      clock.stepWallTime(stepMs);
      let reason = 'none yet';
      const deadlineAt = clock.wallTime().getTime() + 500;
      void reasonOf(shop.door.deliver(directRecord('e1'), { deadlineAt })).then((it) => {
        reason = it;
      });
      await settle();
      clock.stepWallTime(-stepMs);
      await clock.advanceAsync(499);
      expect(reason).toBe('none yet');
      await clock.advanceAsync(1);
      await settle();
      expect(reason).toBe('late');
    },
  );

  it('counts what succeeds after it all the same', async () => {
    const clock = new ManualClock();
    const running: (() => void)[] = [];
    const shop = await openShop(
      { h: () => new Promise<void>((resolve) => running.push(resolve)) },
      DIRECT,
      { clock },
    );
    const reason = reasonOf(
      shop.door.deliver(directRecord('e1'), { deadlineAt: clock.wallTime().getTime() + 500 }),
    );
    await settle();
    await clock.advanceAsync(500);
    expect(await reason).toBe('late');
    running[0]?.();
    await settle();
    await shop.kafkaCopy('e1');
    expect(running).toHaveLength(1);
    expect(shop.engine.count('duplicate')).toBe(1);
  });

  it('ends the wait for a slot, and nothing starts after it', async () => {
    const clock = new ManualClock();
    const running: (() => void)[] = [];
    const shop = await openShop(
      { h: () => new Promise<void>((resolve) => running.push(resolve)) },
      { ...DIRECT, concurrency: 1 },
      { clock },
    );
    await shop.kafkaCopy('k1');
    const reason = reasonOf(
      shop.door.deliver(directRecord('e1'), { deadlineAt: clock.wallTime().getTime() + 500 }),
    );
    await settle();
    await clock.advanceAsync(500);
    expect(await reason).toBe('late');
    running[0]?.();
    await settle();
    expect(running).toHaveLength(1);
    expect(shop.engine.consumer.direct.partitions).toEqual([]);
    // Given back, so that the copy need not wait for a lease.
    await shop.kafkaCopy('e1');
    expect(running).toHaveLength(2);
    running[1]?.();
  });

  it('may come from the caller, who does not wait any more', async () => {
    const shop = await openShop({ h: (_, context) => untilAborted(context) });
    const caller = new AbortController();
    const reason = reasonOf(shop.door.deliver(directRecord('e1'), { signal: caller.signal }));
    await settle();
    caller.abort();
    expect(await reason).toBe('late');
  });

  it('in the past is refused without a claim', async () => {
    let runs = 0;
    const shop = await openShop({ h: () => runs++ });
    const deadlineAt = Date.now() - 1;
    expect(await reasonOf(shop.door.deliver(directRecord('e1'), { deadlineAt }))).toBe('late');
    expect(runs).toBe(0);
  });
});

describe('a shutdown', () => {
  it('lets a direct delivery finish and answers it, and takes no other', async () => {
    const running: (() => void)[] = [];
    const shop = await openShop({ h: () => new Promise<void>((resolve) => running.push(resolve)) });
    const direct = shop.door.deliver(directRecord('e1'));
    await settle();
    const stopped = shop.engine.consumer.stop(5_000, 100);
    await settle();
    expect(await reasonOf(shop.door.deliver(directRecord('e2')))).toBe('not-ready');
    running[0]?.();
    expect((await direct).handlers).toMatchObject([{ outcome: 'handled' }]);
    await stopped;
    expect(running).toHaveLength(1);
  });

  it('ends what waits for its turn', async () => {
    const running: (() => void)[] = [];
    const shop = await openShop(
      { h: () => new Promise<void>((resolve) => running.push(resolve)) },
      { ...DIRECT, concurrency: 1 },
    );
    const first = shop.door.deliver(directRecord('e1'));
    await settle();
    const second = reasonOf(shop.door.deliver(directRecord('e2')));
    await settle();
    const stopped = shop.engine.consumer.stop(5_000, 100);
    expect(await second).toBe('not-ready');
    running[0]?.();
    await first;
    await stopped;
  });

  it('tells what outlives the drain that nobody waits', async () => {
    let signal: AbortSignal | undefined;
    const shop = await openShop({
      h: (_, context) => {
        ({ signal } = context);
        return untilAborted(context);
      },
    });
    const reason = reasonOf(shop.door.deliver(directRecord('e1')));
    await settle();
    await shop.engine.consumer.stop(10, 100);
    expect(signal?.aborted).toBe(true);
    expect(await reason).toBe('not-ready');
  });
});

describe('what nobody is to deliver', () => {
  it.each([
    ['topic-not-consumed', { topic: 'payments' }],
    ['topic-private', { topic: 'orders.dlq' }],
    ['topic-private', { topic: 'orders.group.retry' }],
    ['event-unknown', { headers: directRecord('e1').headers.slice(1) }],
    [
      'event-unknown',
      {
        headers: [
          [HEADERS.eventType, Buffer.from('order.created.v9')],
          ...directRecord('e1').headers.slice(1),
        ],
      },
    ],
    ['event-id-missing', { headers: directRecord(null).headers }],
  ] as [string, Partial<DirectRecord>][])('is refused: %s', async (reason, over) => {
    let runs = 0;
    const retryTopic = { delaysMs: [1_000] };
    const Shipped = anyEvent('order.shipped');
    const partition = new ModelPartition('orders', 0);
    const engine = await startEngine(
      [partition],
      [
        handlerOf('h', [Created], () => runs++, { ...DIRECT, retryTopic }),
        handlerOf('other', [Shipped], () => runs++, DIRECT),
      ],
      { store: fragileStore() },
    );
    const door = new DirectDoor({
      groups: () => [engine.consumer.direct],
      deadLetterTopic: (topic) => `${topic}.dlq`,
      maxInFlight: 64,
      deadlineMs: 30_000,
      signals: { emit: () => undefined },
      clock: systemClock,
    });
    const error = await rejectionOf(() => door.deliver(directRecord('e1', over)));
    expect(error).toMatchObject({ reason, retryable: false, code: 'DIRECT_DELIVERY' });
    expect(runs).toBe(0);
  });

  it('is refused where no handler of it has opted in', async () => {
    const shop = await openShop({ h: () => undefined }, {});
    expect(await reasonOf(shop.door.deliver(directRecord('e1')))).toBe('event-not-accepted');
    expect(signalsNamed(shop, 'directRefused')).toHaveLength(1);
  });

  it('is refused while the consumers have not started', async () => {
    const door = new DirectDoor({
      groups: () => [],
      deadLetterTopic: (topic) => topic,
      maxInFlight: 1,
      deadlineMs: 1,
      signals: { emit: () => undefined },
      clock: systemClock,
    });
    expect(await reasonOf(door.deliver(directRecord('e1')))).toBe('not-ready');
  });
});
