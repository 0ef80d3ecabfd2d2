import { describe, expect, it } from '@jest/globals';

import type { BoundHandler } from '../../../lib/consuming/event-handler.js';
import type { EventBatch } from '../../../lib/consuming/batch/event-batch.js';
import { Quarantine } from '../../../lib/consuming/quarantine.js';
import { DEAD_LETTER_HEADERS } from '../../../lib/contracts/event-headers.js';
import type { IdempotencyStore } from '../../../lib/idempotency/idempotency-store.js';
import type { Signals } from '../../../lib/observability/observer.js';
import {
  anyEvent,
  batchHandlerOf,
  handlerOf,
  startEngine,
  type DeadLetterRow,
} from '../../support/engine.js';
import { append, idOf, settle } from '../../support/engine-events.js';
import { ManualClock } from '../../support/manual-clock.js';
import { ModelPartition } from '../../support/model-kafka.js';
import { MortalProcess, type ProcessOptions } from '../../support/mortal-process.js';
import { NaiveStore } from '../../support/naive-store.js';
import { seededRandom } from '../../support/seeded-random.js';

const Created = anyEvent('order.created');
const HOURS_MS = 10 * 3_600_000;
const LASTING = { timeoutMs: HOURS_MS };
const EVENTS = Array.from({ length: 60 }, (_, i) => `e${String(i)}`);

/** A process that handles orders, each for a moment, and dies of some. */
function service(killers: readonly string[], options: Partial<ProcessOptions> = {}) {
  const clock = new ManualClock();
  const store = new NaiveStore(clock);
  const partitions = [0, 1, 2].map((number) => new ModelPartition('orders', number));
  EVENTS.forEach((id, i) => {
    append(partitions[i % 3] ?? partitionOf(), id);
  });
  const running = new Set<string>();
  const handled: string[] = [];
  const ran: string[] = [];
  const body = async (payload: unknown): Promise<void> => {
    const id = idOf(payload);
    ran.push(id);
    running.add(id);
    await settle(1);
    if (killers.includes(id)) return process.die();
    await settle(3);
    if (!running.delete(id)) return process.die();
    handled.push(id);
  };
  const handler = handlerOf('h', [Created], body, {
    ...LASTING,
    idempotency: { windowMs: HOURS_MS, scope: 'event' },
  });
  const process = new MortalProcess(partitions, [handler], { clock, store, ...options });
  const done = () => partitions.every((each) => each.committed === each.endOffset);
  return { process, clock, store, partitions, running, handled, ran, done };
}

function partitionOf(): never {
  throw new Error('no partition');
}

function header({ record }: DeadLetterRow, name: string): string | undefined {
  const found = record.headers.find(([each]) => each === name)?.[1];
  return found === undefined ? undefined : String(found);
}

function idsOf(letters: readonly DeadLetterRow[]): string[] {
  return letters.map(({ record }) => idOf(JSON.parse(String(record.value)))).sort();
}

describe('a record that kills its process', () => {
  it.each([
    ['among others', ['e20']],
    ['first of its partition', ['e0']],
    ['with a second one beside it', ['e20', 'e21']],
    ['with others of its partition', ['e9', 'e30', 'e57']],
  ])('is dead-lettered, and nothing else is: %s', async (_, killers) => {
    const { process, handled, done } = service(killers);

    await process.keepAlive(done);

    expect(idsOf(process.deadLetters)).toEqual([...killers].sort());
    expect([...new Set(handled)].sort()).toEqual(
      EVENTS.filter((id) => !killers.includes(id)).sort(),
    );
    for (const letter of process.deadLetters) {
      expect(header(letter, DEAD_LETTER_HEADERS.reason)).toBe('crash-loop');
      expect(header(letter, DEAD_LETTER_HEADERS.errorClass)).toBe('CrashLoopError');
      expect(header(letter, DEAD_LETTER_HEADERS.errorMessage)).toMatch(
        /2 times while nothing else ran/,
      );
    }
    // One to be suspected, two among others, two alone; what they share is cheaper.
    expect(process.deaths).toBeLessThanOrEqual(5 * killers.length);
    expect(process.deaths).toBeGreaterThanOrEqual(3 + 2 * killers.length);
  });

  it('is not run again once it is condemned, though its dead letter is refused', async () => {
    let refused = 3;
    const onDeadLetter = () => {
      if (refused-- > 0) throw new Error('full');
    };
    const { process, ran, done } = service(['e20'], { onDeadLetter });

    await process.keepAlive(done);

    expect(process.deaths).toBe(5);
    expect(ran.filter((id) => id === 'e20')).toHaveLength(5);
    expect(idsOf(process.deadLetters)).toEqual(['e20']);
  });

  it('is found as well where its handler claims it only once it runs', async () => {
    const clock = new ManualClock();
    const store = new NaiveStore(clock);
    const partition = new ModelPartition('orders', 0);
    for (const id of EVENTS.slice(0, 20)) append(partition, id);
    const bodies: string[] = [];
    const handler: BoundHandler = {
      ...handlerOf('all', [], () => undefined, LASTING),
      wholeTopic: { topic: 'orders', read: ({ value }) => JSON.parse(String(value)) as unknown },
      invoke: async (payload, _, control) => {
        if (!(await control.claim())) return;
        bodies.push(idOf(payload));
        if (idOf(payload) === 'e7') await process.die();
        await settle(1);
      },
    };
    const process = new MortalProcess([partition], [handler], { clock, store });

    await process.keepAlive(() => partition.committed === partition.endOffset);

    expect(process.deaths).toBe(5);
    expect(bodies.filter((id) => id === 'e7')).toHaveLength(5);
    expect(idsOf(process.deadLetters)).toEqual(['e7']);
  });

  it('is found among the records of its batch', async () => {
    const clock = new ManualClock();
    const store = new NaiveStore(clock);
    const partition = new ModelPartition('orders', 0);
    for (const id of EVENTS) append(partition, id);
    const batches: string[][] = [];
    const body = async ({ payloads }: EventBatch): Promise<void> => {
      const ids = payloads.map(idOf);
      batches.push(ids);
      await settle(1);
      if (ids.includes('e7')) await process.die();
    };
    const handler = batchHandlerOf('h', [Created], body, { ...LASTING, maxSize: 20 });
    const process = new MortalProcess([partition], [handler], { clock, store });

    await process.keepAlive(() => partition.committed === partition.endOffset);

    expect(idsOf(process.deadLetters)).toEqual(['e7']);
    const reasons = process.deadLetters.map((row) => header(row, DEAD_LETTER_HEADERS.reason));
    expect(reasons).toEqual(['crash-loop']);
    expect(process.deaths).toBe(5);
    const deadly = batches.filter((ids) => ids.includes('e7'));
    expect(deadly[0]?.length).toBeGreaterThan(1);
    // From then on it is a suspect: in a batch of its own.
    expect(deadly.slice(1)).toEqual([['e7'], ['e7'], ['e7'], ['e7']]);
  });

  it('kills it for ever with crashLoop: false, and where the store tells no suspects', async () => {
    const off = service(['e20'], { settings: { crashLoop: null } });
    await expect(off.process.keepAlive(off.done, 20)).rejects.toThrow('died 21 times');
    expect(off.process.deadLetters).toEqual([]);

    const untold = service(['e20']);
    Object.assign(untold.store, { start: undefined });
    await expect(untold.process.keepAlive(untold.done, 20)).rejects.toThrow('died 21 times');
    expect(untold.process.deadLetters).toEqual([]);
  });
});

describe('deaths that are no record’s doing', () => {
  it.each(Array.from({ length: 20 }, (_, i) => i + 1))(
    'condemn nobody, whenever they come (seed %i)',
    async (seed) => {
      const random = seededRandom(seed);
      const { process, handled, running, done } = service([]);
      for (let kill = 0; kill < 12 && !done(); kill++) {
        await process.keepAlive(() => process.alive);
        await settle(Math.floor(random() * 8));
        running.clear();
        void process.die();
      }

      await process.keepAlive(done);

      expect(process.deadLetters).toEqual([]);
      expect([...new Set(handled)].sort()).toEqual([...EVENTS].sort());
    },
  );

  it('are forgiven when the suspect comes back: one death alone is not enough', async () => {
    const clock = new ManualClock();
    const store = new NaiveStore(clock);
    const partition = new ModelPartition('orders', 0);
    append(partition, 'slow');
    let deathsToCome = 4;
    const body = (): unknown => (deathsToCome-- > 0 ? process.die() : undefined);
    const handlers = [handlerOf('h', [Created], body, LASTING)];
    const process = new MortalProcess([partition], handlers, { clock, store });

    await process.keepAlive(() => partition.committed === 1n);

    expect(process.deaths).toBe(4);
    expect(process.deadLetters).toEqual([]);
  });

  it('count no more once the handler came back, be it with an error', async () => {
    const clock = new ManualClock();
    const store = new NaiveStore(clock);
    const partition = new ModelPartition('orders', 0);
    append(partition, 'e1');
    const fates = 'die die die fail die die die fail die die die succeed'.split(' ');
    const body = (): unknown => {
      const fate = fates.shift();
      if (fate === 'fail') throw new Error('as told');
      return fate === 'die' ? process.die() : undefined;
    };
    const handlers = [handlerOf('h', [Created], body, LASTING)];
    const process = new MortalProcess([partition], handlers, { clock, store });

    await process.keepAlive(() => partition.committed === 1n);

    expect(fates).toEqual([]);
    expect(process.deaths).toBe(9);
    expect(process.deadLetters).toEqual([]);
  });
});

describe('a suspect that runs alone', () => {
  const WINDOW_MS = 600_000;

  /** A store in which runs of an event have ended with their process. */
  function storeWith(clock: ManualClock, eventId: string, deaths: number, group = 'group') {
    const store = new NaiveStore(clock);
    const key = [group, 'h', Created.eventType, 'orders', '', '', eventId].join('\u0000');
    for (let i = 0; i < deaths; i++) {
      const token = `dead ${String(i)}`;
      store.claim([{ key, token, leaseMs: 1, level: 0, retentionMs: WINDOW_MS }]);
      store.start([{ key, token, alone: false }]);
      clock.advance(1);
    }
    return store;
  }

  function slowly() {
    const running = new Map<string, () => void>();
    const body = (payload: unknown): Promise<void> =>
      new Promise((resolve) => {
        running.set(idOf(payload), () => {
          running.delete(idOf(payload));
          resolve();
        });
      });
    return { running, body };
  }

  async function groupsOfOneProcess(suspectStore: (clock: ManualClock) => IdempotencyStore) {
    const clock = new ManualClock();
    const store = suspectStore(clock);
    const quarantine = new Quarantine();
    const { running, body } = slowly();
    const start = async (topic: string) => {
      const partition = new ModelPartition(topic, 0);
      const contract = anyEvent('order.created', topic);
      const handlers = [handlerOf('h', [contract], body, LASTING)];
      const engine = await startEngine([partition], handlers, { store, quarantine });
      const take = async (...ids: string[]) => {
        for (const id of ids) append(partition, id);
        engine.kafka.fetch(partition);
        await settle();
      };
      return { partition, engine, take };
    };
    return {
      ...{ clock, store, quarantine, running },
      ...{ orders: await start('orders'), invoices: await start('invoices') },
      at: () => [...running.keys()].sort(),
    };
  }

  it('waits until nothing else runs in any group, and all else waits for it', async () => {
    const { orders, invoices, running, at, quarantine } = await groupsOfOneProcess((clock) =>
      storeWith(clock, 'suspect', 2),
    );
    await orders.take('before');
    await invoices.take('invoice before');
    await orders.take('suspect');
    await orders.take('after');
    await invoices.take('invoice after');
    expect(at()).toEqual(['before', 'invoice before']);
    expect(quarantine.suspect).toMatchObject({ handlerId: 'h', eventId: 'suspect', offset: 1n });
    running.get('before')?.();
    await settle();
    expect(at()).toEqual(['invoice before']);
    running.get('invoice before')?.();
    await settle();
    expect(at()).toEqual(['suspect']);
    await orders.take('even later');
    expect(at()).toEqual(['suspect']);
    running.get('suspect')?.();
    await settle();
    expect(at()).toEqual(['after', 'even later', 'invoice after']);
    expect(quarantine.suspect).toBeNull();

    const { signals } = orders.engine;
    const named = signals.filter(({ name }) => name === 'crashSuspected' || name === 'runsAlone');
    expect(named.map(({ name }) => name)).toEqual(['crashSuspected', 'runsAlone']);
    for (const { signal } of named) {
      expect(signal as Signals['runsAlone']).toMatchObject({
        ...{ topic: 'orders', partition: 0, offset: 1n, handlerId: 'h', eventId: 'suspect' },
        ...{ crashes: 2, crashesAlone: 0 },
      });
    }
  });

  it('is marked before anybody else begins: a death then would count against it', async () => {
    let slow: (() => void) | null = null;
    const { orders, running, at } = await groupsOfOneProcess((clock) => {
      const store = storeWith(clock, 'suspect', 2);
      return Object.assign(Object.create(store) as NaiveStore, {
        claim: store.claim.bind(store),
        release: store.release.bind(store),
        renew: store.renew.bind(store),
        start: store.start.bind(store),
        complete: async (...args: Parameters<NaiveStore['complete']>) => {
          await new Promise<void>((resolve) => {
            slow = resolve;
          });
          return store.complete(...args);
        },
      });
    });
    await orders.take('suspect');
    await orders.take('after');
    running.get('suspect')?.();
    await settle();
    expect(at()).toEqual([]);
    (slow as (() => void) | null)?.();
    await settle();
    expect(at()).toEqual(['after']);
  });

  it('waits no longer than its partition may run, and holds nobody up then', async () => {
    const { orders, invoices, running, at, quarantine } = await groupsOfOneProcess((clock) =>
      storeWith(clock, 'suspect', 2),
    );
    await invoices.take('hanging');
    await orders.take('suspect');
    await invoices.take('held up');
    expect(at()).toEqual(['hanging']);

    await orders.engine.kafka.rebalance([]);
    await settle();

    expect(quarantine.closed).toBe(false);
    expect(at()).toEqual(['hanging', 'held up']);
    running.get('hanging')?.();
  });

  it('is as suspect as before when it was given back without having run', async () => {
    const { clock, store, orders, invoices } = await groupsOfOneProcess((time) =>
      storeWith(time, 'suspect', 2),
    );
    await invoices.take('hanging');
    await orders.take('suspect');
    await orders.engine.kafka.rebalance([]);
    await settle();

    const key = ['group', 'h', Created.eventType, 'orders', '', '', 'suspect'].join('\u0000');
    const request = { key, token: 'next', leaseMs: 1, level: 0, retentionMs: WINDOW_MS };
    expect(await store.claim([request])).toEqual([
      { status: 'claimed', attempts: 0, suspicion: { crashes: 2, crashesAlone: 0 } },
    ]);
    expect(clock.now()).toBeGreaterThan(0);
  });

  it('lets those wait in order to be given up that its group drains', async () => {
    const { orders, invoices, at } = await groupsOfOneProcess((clock) =>
      storeWith(clock, 'suspect', 2),
    );
    await orders.take('suspect');
    await invoices.take('held up');
    expect(at()).toEqual(['suspect']);

    // It would not resolve while somebody waits.
    await invoices.engine.kafka.rebalance([], HOURS_MS);

    expect(invoices.engine.consumer.partitions).toEqual([]);
    expect(at()).toEqual(['suspect']);
  });
});

describe('a store that is away when a suspect is to run', () => {
  function awayAtStart(clock: ManualClock, onStoreError: 'pause' | 'process') {
    const shared = new NaiveStore(clock);
    const key = ['group', 'h', Created.eventType, 'orders', '', '', 'suspect'].join('\u0000');
    shared.claim([{ key, token: 'dead', leaseMs: 1, level: 0, retentionMs: 60_000 }]);
    clock.advance(1);
    const state = { away: true };
    const store: IdempotencyStore = {
      name: 'half away',
      inProcess: false,
      claim: (requests) => shared.claim(requests),
      complete: (completions) => shared.complete(completions),
      release: (releases) => {
        shared.release(releases);
      },
      renew: (renewals) => shared.renew(renewals),
      start: (starts) => {
        if (state.away) throw new Error('away');
        return shared.start(starts);
      },
    };
    const settings = { idempotency: { store, windowMs: 60_000, onStoreError } };
    return { store, state, settings };
  }

  it.each([
    ['pause', 0],
    ['process', 1],
  ] as const)('has it wait or not, as onStoreError: %s says', async (onStoreError, expected) => {
    const clock = new ManualClock();
    const { store, state, settings } = awayAtStart(clock, onStoreError);
    const partition = new ModelPartition('orders', 0);
    append(partition, 'suspect');
    const handlers = [handlerOf('h', [Created], () => undefined)];
    const engine = await startEngine([partition], handlers, { clock, store, settings });
    engine.kafka.fetch(partition);
    await settle();
    expect(engine.count('storeFailed')).toBe(1);
    expect(engine.count('handled')).toBe(expected);

    state.away = false;
    await clock.advanceAsync(5_000);
    await settle();

    expect(engine.count('handled')).toBe(1);
  });
});
