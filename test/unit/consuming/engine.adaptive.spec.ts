import { describe, expect, it } from '@jest/globals';

import { ConsumerControl } from '../../../lib/consuming/consumer-control.js';
import { groupHealth } from '../../../lib/consuming/consumer-health.js';
import { NonRetryableEventError } from '../../../lib/kafka-events.errors.js';
import { MemoryIdempotencyStore } from '../../../lib/idempotency/memory-idempotency-store.js';
import { onCleanup } from '../../support/cleanup.js';
import { anyEvent, handlerOf, startEngine, type EngineOptions } from '../../support/engine.js';
import { append, settle } from '../../support/engine-events.js';
import { ManualClock } from '../../support/manual-clock.js';
import { ModelPartition } from '../../support/model-kafka.js';

const Created = anyEvent('order.created');
const ADAPTIVE = { min: 1, max: 64, tolerance: 1.5 };
const RECORDS = 3_000;

/** A handler that calls a server of eight workers, 10 ms for each call. */
async function shop(body: (n: number) => void = () => undefined, options: EngineOptions = {}) {
  const clock = new ManualClock();
  const partition = new ModelPartition('orders', 0);
  for (let i = 0; i < RECORDS; i++) append(partition, `e${String(i)}`, { key: `k${String(i)}` });
  const queue: (() => void)[] = [];
  let [busy, calls, running, most] = [0, 0, 0, 0];
  const serve = (): void => {
    for (; busy < 8; busy++) {
      const next = queue.shift();
      if (next === undefined) return;
      clock.setTimeout(() => {
        busy--;
        next();
        serve();
      }, 10);
    }
  };
  const call = async (): Promise<void> => {
    most = Math.max(most, ++running);
    await new Promise<void>((resolve) => {
      queue.push(resolve);
      serve();
    });
    running--;
    body(++calls);
  };
  const handler = handlerOf('h', [Created], call, { concurrency: ADAPTIVE });
  const engine = await startEngine([partition], [handler], { clock, ...options });
  engine.kafka.fetch(partition);
  const during = async (ms: number): Promise<void> => {
    for (let spent = 0; spent < ms; spent += 5) {
      await settle(3);
      await clock.advanceAsync(5);
    }
    await settle();
  };
  const now = (): number => engine.consumer.handlers[0]?.concurrency ?? 0;
  const control = new ConsumerControl(clock, { emit: () => undefined });
  control.attach(engine.consumer);
  // What runs ends before the engine is stopped: on this clock no drain would.
  onCleanup(async () => {
    control.pause({ handlerId: 'h' });
    await during(200);
  });
  /** Since it was last asked. */
  const mostAtOnce = (): number => {
    const before = most;
    most = running;
    return before;
  };
  return { ...engine, clock, partition, during, concurrency: now, control, mostAtOnce };
}

describe('a handler with adaptive concurrency', () => {
  it('runs as many as its calls bear, and says so', async () => {
    const { during, concurrency, mostAtOnce, count, consumer, clock } = await shop();
    expect(concurrency()).toBe(1);
    const health = () => groupHealth(consumer, [], (text) => text, clock.now()).handlers;
    expect(health()).toMatchObject([{ handlerId: 'h', concurrency: 1, adaptive: true }]);

    await during(2_000);
    mostAtOnce();
    await during(1_000);

    const most = mostAtOnce();
    expect(most).toBeGreaterThanOrEqual(8);
    expect(most).toBeLessThanOrEqual(16);
    expect(count('concurrencyAdapted')).toBeGreaterThan(3);
    expect(health()).toEqual([
      { handlerId: 'h', concurrency: concurrency(), adaptive: true, running: concurrency() },
    ]);
  });

  it('has as many claims under way as it may run, and no more', async () => {
    const clock = new ManualClock();
    const memory = new MemoryIdempotencyStore({ clock });
    let claimed = 0;
    const store = {
      name: 'counting',
      inProcess: true,
      claim: (...args: Parameters<typeof memory.claim>) => {
        claimed += args[0].length;
        return memory.claim(...args);
      },
      complete: memory.complete.bind(memory),
      release: memory.release.bind(memory),
      renew: memory.renew.bind(memory),
    };
    let handled = 0;
    const { during, concurrency } = await shop(() => handled++, { store });

    await during(1_000);

    expect(concurrency()).toBeGreaterThanOrEqual(4);
    expect(claimed - handled).toBe(concurrency());
  });

  it('leaves it at the number that an operator sets', async () => {
    const { during, concurrency, control, count, consumer } = await shop();
    await during(200);

    control.setConcurrency('h', 3);
    const adapted = count('concurrencyAdapted');
    await during(2_000);

    expect(concurrency()).toBe(3);
    expect(count('concurrencyAdapted')).toBe(adapted);
    expect(consumer.handlers[0]?.adaptive).toBeNull();
  });

  it('goes on from where it was after a pause', async () => {
    const { during, concurrency, control } = await shop();
    await during(2_000);
    const before = concurrency();

    control.pause({ handlerId: 'h' });
    await during(500);
    expect(concurrency()).toBe(before);

    control.resume({ handlerId: 'h' });
    await during(500);
    expect(concurrency()).toBeGreaterThanOrEqual(4);
  });

  it('does not grow where the limit of its group holds it back', async () => {
    const { during, concurrency } = await shop(undefined, { group: { maxConcurrency: 2 } });
    await during(3_000);
    expect(concurrency()).toBeLessThanOrEqual(3);
  });

  it('takes failures for overload, unless the event is to blame', async () => {
    const blamed = await shop((n) => {
      if (n % 2 === 0) throw new NonRetryableEventError('not an order');
    });
    await blamed.during(3_000);
    expect(blamed.concurrency()).toBeGreaterThanOrEqual(4);

    const failing = await shop((n) => {
      if (n % 2 === 0) throw new Error('503');
    });
    await failing.during(3_000);
    expect(failing.concurrency()).toBeLessThanOrEqual(2);
  });
});
