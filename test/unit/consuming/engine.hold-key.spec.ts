import { describe, expect, it } from '@jest/globals';

import { groupHealth } from '../../../lib/consuming/consumer-health.js';
import { ConsumerControl } from '../../../lib/consuming/consumer-control.js';
import type { HandlerSettings } from '../../../lib/consuming/handler-options.js';
import type { IdempotencyStore } from '../../../lib/idempotency/idempotency-store.js';
import { MemoryIdempotencyStore } from '../../../lib/idempotency/memory-idempotency-store.js';
import { InvalidTargetError, NonRetryableEventError } from '../../../lib/kafka-events.errors.js';
import { anyEvent, handlerOf, startEngine, type Engine } from '../../support/engine.js';
import { append, idOf, settle } from '../../support/engine-events.js';
import { ManualClock } from '../../support/manual-clock.js';
import { ModelPartition } from '../../support/model-kafka.js';

const Created = anyEvent('order.created');
const MINUTE = 60_000;
const CLAIM = ['group', 'h', 'order.created.v1', 'orders', '', '', 'bad'].join('\u0000');

interface Shop {
  readonly engine: Engine;
  readonly control: ConsumerControl;
  readonly clock: ManualClock;
  readonly store: IdempotencyStore;
  readonly orders: ModelPartition;
  readonly handled: string[];
  passes(ms: number): Promise<void>;
}

/** `before`, `bad` and `after` of one key, `other` of another; `bad` is poison. */
async function shopWithPoison(settings: Partial<HandlerSettings> = {}): Promise<Shop> {
  const orders = new ModelPartition('orders', 0);
  for (const id of ['before', 'bad', 'after']) append(orders, id, { key: 'k' });
  append(orders, 'other');
  const clock = new ManualClock();
  return shopOf(orders, clock, new MemoryIdempotencyStore({ clock }), settings);
}

async function shopOf(
  orders: ModelPartition,
  clock: ManualClock,
  store: IdempotencyStore,
  settings: Partial<HandlerSettings> = {},
): Promise<Shop> {
  const handled: string[] = [];
  const handler = handlerOf(
    'h',
    [Created],
    (payload) => {
      handled.push(idOf(payload));
      if (idOf(payload) === 'bad') throw new NonRetryableEventError('poison');
    },
    { onDeadLetter: 'hold-key', ...settings },
  );
  const engine = await startEngine([orders], [handler], { clock, store });
  const control = new ConsumerControl(clock, { emit: () => undefined });
  control.attach(engine.consumer);
  const passes = async (ms: number): Promise<void> => {
    engine.kafka.fetch(orders);
    await settle(8);
    for (let spent = 0; spent < ms; spent += 1_000) {
      await clock.advanceAsync(1_000);
      await settle(4);
    }
  };
  await passes(1_000);
  return { engine, control, clock, store, orders, handled, passes };
}

/** What a replay of the dead letter leaves, once it has succeeded. */
async function replay({ store }: Shop): Promise<void> {
  const [claim] = await store.claim([
    { key: CLAIM, token: 'replay', leaseMs: MINUTE, level: 1, retentionMs: MINUTE },
  ]);
  expect(claim?.status).toBe('claimed');
  const done = { key: CLAIM, token: 'replay', state: 'done' as const, level: 1 };
  await store.complete([{ ...done, retentionMs: 60 * MINUTE }]);
}

describe('a handler that holds the key of what is dead-lettered', () => {
  it('keeps its later records waiting, and its offset; other keys go on', async () => {
    const shop = await shopWithPoison();
    await shop.passes(10 * MINUTE);
    const { engine, handled, orders, clock } = shop;
    expect(handled).toEqual(['before', 'bad', 'other']);
    expect(engine.deadLetters).toHaveLength(1);
    expect(orders.committed).toBe(1n);
    expect(engine.signals.filter(({ name }) => name === 'keyHeld')).toMatchObject([
      { signal: { handlerId: 'h', offset: 1n, key: 'k' } },
    ]);
    const health = groupHealth(engine.consumer, [], (text) => text, clock.now());
    expect(health.heldKeys).toEqual([
      {
        ...{ handlerId: 'h', topic: 'orders', partition: 0, offset: '1', key: 'k' },
        heldMs: expect.any(Number),
      },
    ]);
  });

  it('goes on when an operator lets the key go, and says for how long it waited', async () => {
    const shop = await shopWithPoison();
    await shop.passes(MINUTE);
    shop.control.releaseKey({ topic: 'orders', key: 'k' });
    await shop.passes(1_000);
    expect(shop.handled).toEqual(['before', 'bad', 'other', 'after']);
    expect(shop.orders.committed).toBe(4n);
    expect(shop.engine.consumer.heldKeys).toEqual([]);
    expect(shop.engine.signals.find(({ name }) => name === 'keyReleased')?.signal).toMatchObject({
      by: 'operator',
    });
  });

  it('goes on when the dead letter was replayed with success', async () => {
    const shop = await shopWithPoison();
    await shop.passes(MINUTE);
    await replay(shop);
    await shop.passes(31_000);
    expect(shop.handled).toEqual(['before', 'bad', 'other', 'after']);
    expect(shop.orders.committed).toBe(4n);
    expect(shop.engine.signals.find(({ name }) => name === 'keyReleased')?.signal).toMatchObject({
      by: 'replay',
    });
  });

  it('holds it again after a restart, without running the record again', async () => {
    const first = await shopWithPoison();
    await first.engine.consumer.stop(0, 0);
    const second = await shopOf(first.orders, first.clock, first.store);
    await second.passes(MINUTE);
    expect(second.handled).toEqual([]);
    expect(second.engine.deadLetters).toEqual([]);
    expect(second.orders.committed).toBe(1n);
    second.control.releaseKey({ topic: 'orders', key: 'k' });
    await second.passes(1_000);
    expect(second.handled).toEqual(['after']);
  });

  it('knows it for dead after a restart that comes long after the window', async () => {
    const settings = { idempotency: { windowMs: 1_000, scope: 'event' as const } };
    const first = await shopWithPoison(settings);
    await first.engine.consumer.stop(0, 0);
    first.clock.advance(24 * 60 * MINUTE);
    const second = await shopOf(first.orders, first.clock, first.store, settings);
    await second.passes(MINUTE);
    expect(second.handled).not.toContain('bad');
    expect(second.engine.consumer.heldKeys).toHaveLength(1);
  });

  it('holds it through a rebalance, which does not wait for it', async () => {
    const shop = await shopWithPoison();
    const { kafka } = shop.engine;
    await kafka.rebalance([]);
    await kafka.rebalance([shop.orders]);
    await shop.passes(MINUTE);
    expect(shop.handled).toEqual(['before', 'bad', 'other']);
    expect(shop.engine.consumer.heldKeys).toHaveLength(1);
  });

  it('does not run the record again when the store has forgotten its mark', async () => {
    const { orders, clock } = await shopWithPoison();
    orders.committed = null;
    let memory = new MemoryIdempotencyStore({ clock });
    const store: IdempotencyStore = {
      name: 'forgetful',
      inProcess: true,
      claim: (requests) => memory.claim(requests),
      complete: (completions) => memory.complete(completions),
      release: (releases) => {
        memory.release(releases);
      },
      renew: (renewals) => memory.renew(renewals),
    };
    const shop = await shopOf(orders, clock, store);
    memory = new MemoryIdempotencyStore({ clock });
    await shop.passes(2 * MINUTE);
    expect(shop.handled).toEqual(['before', 'bad', 'other']);
    expect(shop.engine.consumer.heldKeys).toHaveLength(1);
    const ask = { key: CLAIM, token: 'other', leaseMs: 1, level: 0, retentionMs: 1 };
    expect(memory.claim([ask])).toEqual([{ status: 'dead' }]);
  });

  it('is held by no duplicate of what an operator let go', async () => {
    const shop = await shopWithPoison();
    shop.control.releaseKey({ topic: 'orders', key: 'k' });
    append(shop.orders, 'bad', { key: 'k' });
    append(shop.orders, 'last', { key: 'k' });
    await shop.passes(1_000);
    expect(shop.handled.at(-1)).toBe('last');
    expect(shop.orders.committed).toBe(6n);
  });

  it('holds nothing for a record without a key, or with another setting', async () => {
    const shop = await shopWithPoison({ onDeadLetter: 'continue' });
    expect(shop.handled).toEqual(['before', 'bad', 'other', 'after']);
    const keyless = new ModelPartition('orders', 0);
    append(keyless, 'bad');
    const { log } = keyless;
    const [record] = log;
    if (record !== undefined) log[0] = { ...record, key: null };
    const ordering = 'partition';
    const store = new MemoryIdempotencyStore();
    const { engine } = await shopOf(keyless, shop.clock, store, { ordering });
    expect(engine.consumer.heldKeys).toEqual([]);
    expect(keyless.committed).toBe(1n);
  });

  it('is refused to let go what it does not hold', async () => {
    const { control } = await shopWithPoison();
    expect(() => {
      control.releaseKey({ topic: 'orders', key: 'other' });
    }).toThrow(InvalidTargetError);
    expect(() => {
      control.releaseKey({ topic: 'bills', key: 'k' });
    }).toThrow(/no dead-lettered record of "bills" holds that key/);
  });
});
