import { describe, expect, it } from '@jest/globals';

import type { IdempotencyStore } from '../../../lib/idempotency/idempotency-store.js';
import { MemoryIdempotencyStore } from '../../../lib/idempotency/memory-idempotency-store.js';
import { anyEvent, handlerOf, startEngine } from '../../support/engine.js';
import { append, idOf, settle } from '../../support/engine-events.js';
import { ManualClock } from '../../support/manual-clock.js';
import { ModelPartition } from '../../support/model-kafka.js';
import { MortalProcess } from '../../support/mortal-process.js';
import { NaiveStore } from '../../support/naive-store.js';

const Created = anyEvent('order.created');
const WINDOW_MS = 60_000;
const LASTING = {
  timeoutMs: 10 * 3_600_000,
  idempotency: { windowMs: WINDOW_MS, scope: 'event' as const },
};
const IDS = Array.from({ length: 30 }, (_, i) => `e${String(i)}`);

/** Handlers of which one does not come back from the first record for as long as `stuck`. */
function stalling() {
  const state = { stuck: true };
  const ran: string[] = [];
  const release: (() => void)[] = [];
  const handler = (id: string, hangs: boolean) =>
    handlerOf(
      id,
      [Created],
      (payload) => {
        ran.push(`${id} ${idOf(payload)}`);
        if (!hangs || !state.stuck || idOf(payload) !== 'e0') return undefined;
        return new Promise<void>((resolve) => release.push(resolve));
      },
      LASTING,
    );
  const partition = new ModelPartition('orders', 0);
  for (const id of IDS) append(partition, id);
  const runsOf = (what: string) => ran.filter((each) => each === what).length;
  const unstick = () => {
    state.stuck = false;
    for (const resolve of release.splice(0)) resolve();
  };
  return { partition, ran, runsOf, handler, unstick };
}

/** In steps, so that timers of all kinds get their turn. */
async function pass(clock: ManualClock, ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 5_000) await clock.advanceAsync(5_000);
  await settle();
}

describe('what was handled behind a record that does not end', () => {
  it('is not run again after a stall of many windows, a death, another stall and another death', async () => {
    const clock = new ManualClock();
    const { partition, handler, runsOf, unstick } = stalling();
    const store = new NaiveStore(clock);
    const process = new MortalProcess([partition], [handler('h', true)], { clock, store });
    for (let life = 0; life < 2; life++) {
      await process.boot();
      await pass(clock, 3 * WINDOW_MS + 10_000);
      expect(partition.committed).toBeNull();
      void process.die();
    }
    unstick();

    await process.keepAlive(() => partition.committed === partition.endOffset);

    for (const id of IDS.slice(1)) expect([id, runsOf(`h ${id}`)]).toEqual([id, 1]);
    expect(runsOf('h e0')).toBe(3);
  });

  it('is not run again in the same process either, with its memory store', async () => {
    const clock = new ManualClock();
    const { partition, handler, runsOf, unstick } = stalling();
    const store = new MemoryIdempotencyStore({ clock });
    const engine = await startEngine([partition], [handler('h', true)], { clock, store });
    engine.kafka.fetch(partition);
    await pass(clock, 4 * WINDOW_MS);

    engine.kafka.evict([partition]);
    engine.kafka.fetch(partition);
    unstick();
    await pass(clock, WINDOW_MS);

    expect(partition.committed).toBe(partition.endOffset);
    for (const id of IDS) expect([id, runsOf(`h ${id}`)]).toEqual([id, 1]);
  });

  it('counts for each handler: one that is done with the stuck record itself is not run again', async () => {
    const clock = new ManualClock();
    const { partition, handler, runsOf, unstick } = stalling();
    const store = new NaiveStore(clock);
    const handlers = [handler('stuck', true), handler('quick', false)];
    const process = new MortalProcess([partition], handlers, { clock, store });
    await process.boot();
    await pass(clock, 4 * WINDOW_MS);
    void process.die();
    unstick();

    await process.keepAlive(() => partition.committed === partition.endOffset);

    for (const id of IDS) expect([id, runsOf(`quick ${id}`)]).toEqual([id, 1]);
    expect(runsOf('stuck e0')).toBe(2);
  });

  it('outlives a store that was away when its marks were due', async () => {
    const clock = new ManualClock();
    const { partition, handler, runsOf, unstick } = stalling();
    const store = new NaiveStore(clock);
    const refresh = store.refresh.bind(store);
    let calls = 0;
    const flaky: IdempotencyStore = Object.assign(store, {
      refresh: (...args: Parameters<typeof refresh>) => {
        if (calls++ % 2 === 0) throw new Error('away');
        refresh(...args);
      },
    });
    const process = new MortalProcess([partition], [handler('h', true)], { clock, store: flaky });
    await process.boot();
    await pass(clock, 4 * WINDOW_MS);
    expect(process.engine.count('storeFailed')).toBeGreaterThan(3);
    void process.die();
    unstick();

    await process.keepAlive(() => partition.committed === partition.endOffset);

    for (const id of IDS.slice(1)) expect([id, runsOf(`h ${id}`)]).toEqual([id, 1]);
  });

  it('costs nothing where the watermark moves, and no timer after the end', async () => {
    const clock = new ManualClock();
    const partition = new ModelPartition('orders', 0);
    let refreshes = 0;
    const memory = new MemoryIdempotencyStore({ clock });
    const store = Object.assign(memory, { refresh: () => refreshes++ });
    // Some take a while, so that there is always something done behind something that is not.
    const body = (payload: unknown) =>
      Number(idOf(payload).slice(1)) % 2 === 1
        ? undefined
        : new Promise<void>((resolve) => clock.setTimeout(resolve, 12_000));
    const handlers = [handlerOf('h', [Created], body, LASTING)];
    const engine = await startEngine([partition], handlers, { clock, store });
    for (let i = 0; i < 60; i++) {
      append(partition, `e${String(i)}`);
      engine.kafka.fetch(partition);
      await pass(clock, 5_000);
    }
    await pass(clock, 15_000);
    expect(engine.count('handled')).toBe(60);
    expect(refreshes).toBe(0);
    await engine.consumer.stop(0, 0);
    await settle();
    expect(clock.pending).toBe(0);
  });
});
