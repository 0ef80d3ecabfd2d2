import { describe, expect, it } from '@jest/globals';

import { ConsumerControl } from '../../../lib/consuming/consumer-control.js';
import { systemClock } from '../../../lib/contracts/clock.js';
import type { BoundHandler } from '../../../lib/consuming/event-handler.js';
import { MemoryIdempotencyStore } from '../../../lib/idempotency/memory-idempotency-store.js';
import type { SignalName } from '../../../lib/observability/observer.js';
import { anyEvent, handlerOf, startEngine, type EngineOptions } from '../../support/engine.js';
import { append, idOf, settle } from '../../support/engine-events.js';
import { eventually } from '../../support/eventually.js';
import { ManualClock } from '../../support/manual-clock.js';
import { ModelPartition } from '../../support/model-kafka.js';
import { thrownBy } from '../../support/thrown-by.js';

const Created = anyEvent('order.created');
const Paid = anyEvent('order.paid');
const Shipped = anyEvent('parcel.shipped', 'parcels');

function partitionWith(count: number, { topic = 'orders', type = 'order.created.v1' } = {}) {
  const partition = new ModelPartition(topic, 0);
  for (let i = 0; i < count; i++) append(partition, `${topic}-${String(i)}`, { type });
  return partition;
}

async function controlled(
  partitions: ModelPartition[],
  handlers: BoundHandler[],
  options: EngineOptions = {},
) {
  const engine = await startEngine(partitions, handlers, options);
  const signals: SignalName[] = [];
  const control = new ConsumerControl(options.clock ?? systemClock, {
    emit: (name) => signals.push(name),
  });
  const detach = control.attach(engine.consumer);
  return { ...engine, control, detach, signalled: signals };
}

/** A handler's body that ends when told. */
function gated() {
  const running: { readonly id: string; readonly end: () => void }[] = [];
  const body = (payload: unknown) =>
    new Promise<void>((end) => running.push({ id: idOf(payload), end }));
  return { running, body, ids: () => running.map(({ id }) => id) };
}

describe('a paused handler', () => {
  it('starts nothing, finishes what runs, and goes on in order where it was', async () => {
    const partition = new ModelPartition('orders', 0);
    for (const id of ['a1', 'a2', 'a3']) append(partition, id, { key: 'a' });
    const { running, body, ids } = gated();
    const { kafka, control } = await controlled([partition], [handlerOf('h', [Created], body)]);
    kafka.fetch(partition);
    await eventually(() => running.length === 1);

    control.pause({ handlerId: 'h' });
    running[0]?.end();
    await eventually(() => partition.committed === 1n);
    await settle();
    expect(ids()).toEqual(['a1']);

    control.resume({ handlerId: 'h' });
    await eventually(() => running.length === 2);
    running[1]?.end();
    await eventually(() => running.length === 3);
    running[2]?.end();
    await eventually(() => partition.committed === 3n);
    expect(ids()).toEqual(['a1', 'a2', 'a3']);
  });

  it('holds up no other handler of its topic', async () => {
    const partition = partitionWith(3);
    append(partition, 'paid', { type: 'order.paid.v1' });
    const seen: string[] = [];
    const note = (payload: unknown) => seen.push(idOf(payload));
    const { kafka, control } = await controlled(
      [partition],
      [handlerOf('created', [Created], note), handlerOf('paid', [Paid], note)],
    );
    control.pause({ handlerId: 'created' });

    kafka.fetch(partition);

    await eventually(() => seen.length === 1);
    await settle();
    expect(seen).toEqual(['paid']);
  });

  it('does not retry while it is paused, and lets its claim go', async () => {
    const clock = new ManualClock();
    const partition = partitionWith(1);
    let runs = 0;
    const retry = { attempts: 9, initialDelayMs: 100, factor: 1, maxDelayMs: 100, jitter: 0 };
    const { kafka, control, count } = await controlled(
      [partition],
      [
        handlerOf(
          'h',
          [Created],
          () => {
            if (++runs < 3) throw new Error('not yet');
          },
          { retry },
        ),
      ],
      { clock },
    );
    kafka.fetch(partition);
    await eventually(() => count('attemptFailed') === 1);

    control.pause({ handlerId: 'h' });
    await clock.advanceAsync(10_000);
    await settle();
    expect(runs).toBe(1);

    control.resume({ handlerId: 'h' });
    await settle();
    await clock.advanceAsync(1_000);
    await eventually(() => runs === 3);
  });

  it('may lose its partition meanwhile', async () => {
    const partition = partitionWith(5);
    const { running, body } = gated();
    const { kafka, control } = await controlled([partition], [handlerOf('h', [Created], body)]);
    control.pause({ handlerId: 'h' });
    kafka.fetch(partition);
    await settle();

    await kafka.rebalance([]);

    control.resume({ handlerId: 'h' });
    await settle();
    expect(running).toEqual([]);
  });
});

describe('a paused topic', () => {
  it('starts nothing and is not fetched, while others go on', async () => {
    const [orders, parcels] = [
      partitionWith(2),
      partitionWith(2, { topic: 'parcels', type: 'parcel.shipped.v1' }),
    ];
    const seen: string[] = [];
    const note = (payload: unknown) => seen.push(idOf(payload));
    const { kafka, control } = await controlled(
      [orders, parcels],
      [handlerOf('created', [Created], note), handlerOf('shipped', [Shipped], note)],
    );

    control.pause({ topic: 'orders' });
    expect(kafka.fetch(orders)).toBe(0);
    kafka.fetch(parcels);
    await eventually(() => parcels.committed === 2n);
    expect(seen).toEqual(['parcels-0', 'parcels-1']);

    control.resume({ topic: 'orders' });
    kafka.fetch(orders);
    await eventually(() => orders.committed === 2n);
  });

  it('stays paused through rebalances that give or leave its partitions', async () => {
    const [first, second] = [partitionWith(1), new ModelPartition('orders', 1)];
    append(second, 'later');
    const { running, body } = gated();
    const { kafka, control } = await controlled([first, second], [handlerOf('h', [Created], body)]);
    control.pause({ topic: 'orders' });

    await kafka.rebalance([first]);
    await kafka.rebalance([first, second]);

    expect(kafka.fetch(first) + kafka.fetch(second)).toBe(0);
    await settle();
    expect(running).toEqual([]);
    control.resume({ topic: 'orders' });
    expect(kafka.fetch(first) + kafka.fetch(second)).toBe(2);
    await eventually(() => running.length === 2);
  });

  it('is resumed to the back-pressure it had', async () => {
    const partition = partitionWith(10);
    const { running, body } = gated();
    const { kafka, control } = await controlled(
      [partition],
      [handlerOf('h', [Created], body, { concurrency: 1 })],
      { group: { maxSpan: 4 } },
    );
    kafka.fetch(partition, 6);
    expect(kafka.paused.size).toBe(1);

    control.pause({ topic: 'orders' });
    control.resume({ topic: 'orders' });

    expect(kafka.paused.size).toBe(1);
    control.pause({ topic: 'orders' });
    running[0]?.end();
    await settle();
    control.resume({ topic: 'orders' });
    const ending = setInterval(() => {
      running.forEach(({ end }) => {
        end();
      });
    }, 1);
    await eventually(() => kafka.paused.size === 0);
    kafka.fetch(partition);
    await eventually(() => partition.committed === 10n);
    clearInterval(ending);
  });

  it('is not fetched because what was running has made room', async () => {
    const partition = partitionWith(10);
    const { running, body } = gated();
    const { kafka, control } = await controlled([partition], [handlerOf('h', [Created], body)], {
      group: { maxSpan: 4 },
    });
    kafka.fetch(partition, 6);
    await eventually(() => running.length === 6);
    control.pause({ topic: 'orders' });

    for (const { end } of running) end();
    await eventually(() => partition.committed === 6n);

    expect(kafka.fetch(partition)).toBe(0);
    control.resume({ topic: 'orders' });
    expect(kafka.fetch(partition)).toBe(4);
  });

  it('drains at a shutdown like any other', async () => {
    const partition = partitionWith(2);
    const { running, body } = gated();
    const { kafka, control, consumer } = await controlled(
      [partition],
      [handlerOf('h', [Created], body, { concurrency: 1 })],
    );
    kafka.fetch(partition);
    await eventually(() => running.length === 1);
    control.pause({ topic: 'orders' });

    const stopping = consumer.stop(5_000, 100);
    running[0]?.end();
    await stopping;

    expect(partition.committed).toBe(1n);
  });
});

describe('a paused group', () => {
  it('starts nothing of any topic, and what is paused twice is resumed twice', async () => {
    const partition = partitionWith(1);
    const { running, body } = gated();
    const { kafka, control } = await controlled([partition], [handlerOf('h', [Created], body)]);
    kafka.fetch(partition, 0);
    control.pause({ groupId: 'group' });
    control.pause({ topic: 'orders' });

    control.resume({ groupId: 'group' });
    expect(kafka.fetch(partition)).toBe(0);
    control.resume({ topic: 'orders' });
    expect(kafka.fetch(partition)).toBe(1);

    await eventually(() => running.length === 1);
  });
});

describe('ConsumerControl', () => {
  it('changes the concurrency of a handler while it runs', async () => {
    const partition = partitionWith(20);
    const { running, body } = gated();
    const { kafka, control } = await controlled(
      [partition],
      [handlerOf('h', [Created], body, { concurrency: 2 })],
    );
    kafka.fetch(partition);
    await eventually(() => running.length === 2);

    control.setConcurrency('h', 5);
    await eventually(() => running.length === 5);

    control.setConcurrency('h', 1);
    for (const { end } of running.slice(0, 4)) end();
    await eventually(() => partition.committed === 4n);
    await settle();
    expect(running).toHaveLength(5);

    running[4]?.end();
    await eventually(() => running.length === 6);
    await settle();
    expect(running).toHaveLength(6);
  });

  it('keeps a changed concurrency through a pause, and for groups that are made anew', async () => {
    const partition = partitionWith(10);
    const { running, body } = gated();
    const { kafka, control, consumer, detach } = await controlled(
      [partition],
      [handlerOf('h', [Created], body, { concurrency: 1 })],
    );
    control.setConcurrency('h', 3);
    control.pause({ handlerId: 'h' });
    detach();
    control.attach(consumer);

    kafka.fetch(partition);
    await settle();
    expect(running).toHaveLength(0);
    control.resume({ handlerId: 'h' });

    await eventually(() => running.length === 3);
    await settle();
    expect(running).toHaveLength(3);
  });

  it('tells what is paused, for how long, and signals each change once', async () => {
    const clock = new ManualClock();
    const { control, consumer, signalled } = await controlled(
      [partitionWith(0)],
      [handlerOf('h', [Created], () => undefined)],
      { clock },
    );
    control.pause({ handlerId: 'h' });
    control.pause({ handlerId: 'h' });
    clock.advance(1_500);

    expect(control.paused).toEqual([{ target: { handlerId: 'h' }, heldMs: 1_500 }]);
    expect(control.heldIn(consumer)).toEqual(control.paused);
    control.resume({ handlerId: 'h' });
    control.resume({ handlerId: 'h' });

    expect(control.paused).toEqual([]);
    expect(signalled).toEqual(['paused', 'resumed']);
  });

  it('refuses what does not exist, naming what does', async () => {
    const { control, detach } = await controlled(
      [partitionWith(0)],
      [handlerOf('Orders.reserve', [Created], () => undefined)],
    );
    const message = (fn: () => void) => thrownBy(fn).message;

    expect(
      message(() => {
        control.pause({ handlerId: 'Orders.reserv' });
      }),
    ).toBe('there is no handler "Orders.reserv" in this process; there are Orders.reserve');
    expect(
      message(() => {
        control.resume({ topic: 'order' });
      }),
    ).toContain('there are orders');
    expect(
      message(() => {
        control.pause({ groupId: 'g' });
      }),
    ).toContain('there are group');
    expect(
      message(() => {
        control.setConcurrency('Orders.reserve', 0);
      }),
    ).toContain('pause it');
    expect(
      message(() => {
        control.setConcurrency('Orders.reserve', 1.5);
      }),
    ).toContain('integer');
    detach();
    expect(
      message(() => {
        control.pause({ topic: 'orders' });
      }),
    ).toContain('have not started');
  });
});

describe('a handler with a rate', () => {
  it('starts no more often than that, retries included, and loses none', async () => {
    const clock = new ManualClock();
    const partition = partitionWith(10);
    const starts: number[] = [];
    const { kafka } = await controlled(
      [partition],
      [
        handlerOf(
          'h',
          [Created],
          () => {
            starts.push(clock.now());
            if (starts.length === 1) throw new Error('once');
          },
          {
            rate: { perSecond: 10, burst: 2 },
            retry: { attempts: 2, initialDelayMs: 1, factor: 1, maxDelayMs: 1, jitter: 0 },
          },
        ),
      ],
      { clock },
    );
    const began = clock.now();
    kafka.fetch(partition);
    await settle();

    for (let i = 0; i < 100; i++) {
      await clock.advanceAsync(20);
      await settle(3);
    }

    expect(partition.committed).toBe(10n);
    expect(starts).toHaveLength(11);
    expect(starts.map((at) => at - began)).toEqual([
      0, 0, 100, 200, 300, 400, 500, 600, 700, 800, 900,
    ]);
  });

  it('lets go of its claims where it is paused in the line', async () => {
    const clock = new ManualClock();
    const store = new MemoryIdempotencyStore({ clock });
    const partition = partitionWith(2);
    const rate = { perSecond: 1, burst: 1 };
    const { kafka, control } = await controlled(
      [partition],
      [handlerOf('h', [Created], () => undefined, { rate })],
      { clock, store },
    );
    const claimElsewhere = () => {
      const key = ['group', 'h', 'order.created.v1', 'orders', '', '', 'orders-1'].join('\u0000');
      return store.claim([{ key, token: 'other', leaseMs: 1, level: 0, retentionMs: 60_000 }])[0]
        ?.status;
    };
    kafka.fetch(partition);
    await settle();
    expect(claimElsewhere()).toBe('in-progress');

    control.pause({ handlerId: 'h' });
    await clock.advanceAsync(2_000);
    await settle();

    expect(claimElsewhere()).toBe('claimed');
  });

  it('gives its places up when the partition goes, and the claims with them', async () => {
    const clock = new ManualClock();
    const partition = partitionWith(3);
    const seen: string[] = [];
    const { kafka, consumer } = await controlled(
      [partition],
      [
        handlerOf('h', [Created], (payload) => seen.push(idOf(payload)), {
          rate: { perSecond: 1, burst: 1 },
        }),
      ],
      { clock },
    );
    kafka.fetch(partition);
    await settle();
    expect(seen).toHaveLength(1);

    await kafka.rebalance([]);
    await settle();
    await kafka.rebalance([partition]);
    kafka.fetch(partition);
    for (let i = 0; i < 20; i++) {
      await clock.advanceAsync(1_000);
      await settle(3);
    }

    expect(seen.toSorted()).toEqual(['orders-0', 'orders-1', 'orders-2']);
    expect(consumer.partitions[0]?.busy).toBe(0);
  });
});
