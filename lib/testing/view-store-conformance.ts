import { deepEqual, equal, ok, rejects } from 'node:assert/strict';
import { randomUUID } from 'node:crypto';

import type {
  ChangeAnswer,
  KeptRow,
  KeyedRow,
  RowQuery,
  ViewPosition,
  ViewRef,
  ViewStore,
  ViewWork,
} from '../views/view-store.js';
import type { ConformanceCase } from './conformance-case.js';

/** A view store on trial, with what the suite needs to try it. */
export interface ViewStoreOnTrial {
  readonly store: ViewStore;
  /** Other stores over the same data, as other processes would have them; none for a store in memory. */
  readonly peers?: readonly ViewStore[];
  /** Lets time pass for the store: moves a manual clock, or really waits. */
  advance(ms: number): Promise<void> | void;
  /** Called after the case, passed or not. */
  dispose?(): Promise<void> | void;
}

export interface ViewStoreConformanceOptions {
  /** A fresh store; it may share its data with those of earlier cases, which use other views. */
  create(): Promise<ViewStoreOnTrial>;
  /** The suite's unit of time, in milliseconds: what must run out lasts as long. Default 100. */
  readonly unitMs?: number;
  /** Changes that race with each other. Default 20. */
  readonly racers?: number;
  /** Keys of the largest change. Default 1,000. */
  readonly batchSize?: number;
}

const TOPIC = 'stock';
const NEVER_MS = 600_000;
const ALL: RowQuery = { prefix: '', after: '', where: {}, limit: 1_000 };

/** What every {@link ViewStore} must do, as cases for any test runner. */
export function viewStoreConformance(
  options: ViewStoreConformanceOptions,
): readonly ConformanceCase[] {
  return Object.entries(CASES).map(([name, body]) => ({
    name,
    run: async () => {
      const onTrial = await options.create();
      try {
        await body(new Trial(onTrial, options));
      } finally {
        await onTrial.dispose?.();
      }
    },
  }));
}

/** The port in the words of the cases: one view, values that are numbers. */
class Trial {
  readonly store: ViewStore;
  readonly stores: readonly ViewStore[];
  readonly unitMs: number;
  readonly racers: number;
  readonly batchSize: number;
  readonly ref: ViewRef = { view: `shop.${randomUUID()}`, version: 1 };

  constructor(
    readonly onTrial: ViewStoreOnTrial,
    { unitMs = 100, racers = 20, batchSize = 1_000 }: ViewStoreConformanceOptions,
  ) {
    this.store = onTrial.store;
    this.stores = [onTrial.store, ...(onTrial.peers ?? [])];
    this.unitMs = unitMs;
    this.racers = racers;
    this.batchSize = batchSize;
  }

  /** Any of the stores over the same data. */
  any(index: number): ViewStore {
    return this.stores[index % this.stores.length] ?? this.store;
  }

  async begin(ref = this.ref): Promise<string> {
    return this.store.begin(ref, newId());
  }

  /** A generation that is read. */
  async live(ref = this.ref): Promise<string> {
    const id = await this.begin(ref);
    equal(await this.store.swap(ref, id, []), true, 'the first generation is swapped in');
    return id;
  }

  /** Sets rows; null deletes. */
  async set(
    generation: string,
    rows: Readonly<Record<string, unknown>>,
    { partition = 0, offset = 1n, topic = TOPIC, store = this.store } = {},
  ): Promise<ChangeAnswer> {
    const given = new Map(Object.entries(rows));
    return store.change({ generation, topic, partition }, [...given.keys()], (_, before) => ({
      position: offset,
      rows: new Map(
        [...given].map(([key, value]) => [
          key,
          value === null ? null : next(before.get(key), value),
        ]),
      ),
    }));
  }

  /** Adds one to a row, and to the position of its partition. */
  async add(generation: string, key: string, partition = 0, store = this.store): Promise<void> {
    const add: ViewWork = (position, rows) => {
      const row = rows.get(key);
      const value = row === undefined ? 0 : Number(row.json);
      return { position: position + 1n, rows: new Map([[key, next(row, value + 1)]]) };
    };
    equal(await store.change({ generation, topic: TOPIC, partition }, [key], add), 'changed');
  }

  async values(store = this.store, ref = this.ref): Promise<Record<string, unknown> | null> {
    const rows = await store.list(ref, ALL);
    return rows && Object.fromEntries(rows.map(({ key, json }) => [key, JSON.parse(json)]));
  }

  async keys(query: Partial<RowQuery>): Promise<string[]> {
    const rows = await this.store.list(this.ref, { ...ALL, ...query });
    ok(rows);
    return rows.map(({ key }: KeyedRow) => key);
  }

  async positions(generation: string): Promise<readonly ViewPosition[] | undefined> {
    const all = await this.store.generations(this.ref);
    return all
      .find(({ id }) => id === generation)
      ?.positions.toSorted((a, b) => a.topic.localeCompare(b.topic) || a.partition - b.partition);
  }

  async states(ref = this.ref): Promise<Record<string, string>> {
    const all = await this.store.generations(ref);
    return Object.fromEntries(all.map(({ id, state }) => [id, state]));
  }
}

function next(row: KeptRow | undefined, value: unknown): KeptRow {
  const version = (row?.version ?? 0) + 1;
  return { json: JSON.stringify(value), version, recent: `r${String(version)}` };
}

function newId(): string {
  return randomUUID().slice(0, 10);
}

const CASES: Readonly<Record<string, (trial: Trial) => Promise<void>>> = {
  async 'knows nothing of a view that was never begun'({ store, ref }) {
    deepEqual(await store.generations(ref), []);
    equal(await store.read(ref, ['a']), null);
    equal(await store.list(ref, ALL), null);
    equal(await store.swap(ref, newId(), []), false);
    equal(await store.freeze(newId(), 10), false);
  },

  async 'begins one generation of a version at a time'(trial) {
    const { ref, racers } = trial;
    const ids = await Promise.all(
      Array.from({ length: racers }, async (_, i) => trial.any(i).begin(ref, newId())),
    );
    equal(new Set(ids).size, 1, `there were ${String(new Set(ids).size)}`);
    deepEqual(await trial.states(), { [ids[0] ?? '']: 'building' });
  },

  async 'is read when a generation is live, and not before'(trial) {
    const id = await trial.begin();
    await trial.set(id, { a: 1 });
    equal(await trial.store.read(trial.ref, ['a']), null);
    equal(await trial.store.swap(trial.ref, id, []), true);
    deepEqual(await trial.states(), { [id]: 'live' });
    deepEqual(await trial.values(), { a: 1 });
    deepEqual(
      await trial.store.read(trial.ref, ['a', 'b']),
      new Map([['a', { json: '1', version: 1 }]]),
    );
    equal(await trial.store.swap(trial.ref, id, []), false, 'a live one is swapped in once');
  },

  async 'shows a change what is there, and keeps what it answers'(trial) {
    const id = await trial.live();
    await trial.set(id, { a: 1, b: 2 }, { offset: 7n });
    const place = { generation: id, topic: TOPIC, partition: 0 };
    let seen: unknown = null;
    await trial.store.change(place, ['a', 'b', 'c'], (position, rows) => {
      seen = [position, [...rows.keys()].sort()];
      const changed = new Map([
        ['a', null],
        ['c', next(undefined, 3)],
      ]);
      return { position: 9n, rows: changed };
    });
    deepEqual(seen, [7n, ['a', 'b']]);
    deepEqual(await trial.values(), { b: 2, c: 3 });
    deepEqual(await trial.positions(id), [{ topic: TOPIC, partition: 0, offset: 9n }]);
  },

  async 'keeps with a row what tells its latest events, for those who change it'(trial) {
    const id = await trial.live();
    const place = { generation: id, topic: TOPIC, partition: 0 };
    const seen: unknown[] = [];
    const remember = async (store: ViewStore, recent: string): Promise<void> => {
      await store.change(place, ['a', 'b'], (_, rows) => {
        seen.push(rows.get('a')?.recent);
        return { position: 1n, rows: new Map([['a', { ...next(rows.get('a'), 1), recent }]]) };
      });
    };
    const longest = '-_aZ'.repeat(100);
    await remember(trial.store, longest);
    await remember(trial.any(1), '');
    await remember(trial.any(2), 'x');
    deepEqual(seen, [undefined, longest, '']);
    await trial.set(id, { a: null }, { offset: 2n });
    await remember(trial.store, 'y');
    deepEqual(seen.at(-1), undefined, 'it went with its row');
  },

  async 'changes nothing when the work throws'(trial) {
    const id = await trial.live();
    await trial.set(id, { a: 1 }, { offset: 3n });
    await rejects(async () =>
      trial.store.change({ generation: id, topic: TOPIC, partition: 0 }, ['a'], () => {
        throw new Error('no');
      }),
    );
    deepEqual(await trial.values(), { a: 1 });
    deepEqual(await trial.positions(id), [{ topic: TOPIC, partition: 0, offset: 3n }]);
  },

  async 'keeps a position for each partition of each topic'(trial) {
    const id = await trial.live();
    const far = 9_007_199_254_740_993n;
    await trial.set(id, { a: 1 }, { partition: 0, offset: 5n });
    await trial.set(id, { a: 1 }, { partition: 1, offset: far });
    await trial.set(id, { a: 1 }, { topic: 'zoo', offset: 2n });
    deepEqual(await trial.positions(id), [
      { topic: TOPIC, partition: 0, offset: 5n },
      { topic: TOPIC, partition: 1, offset: far },
      { topic: 'zoo', partition: 0, offset: 2n },
    ]);
  },

  async 'runs the changes of one partition one after another'(trial) {
    const id = await trial.live();
    const { racers } = trial;
    await Promise.all(
      Array.from({ length: racers }, (_, i) => trial.add(id, 'a', 0, trial.any(i))),
    );
    deepEqual(await trial.values(), { a: racers });
    deepEqual(await trial.positions(id), [{ topic: TOPIC, partition: 0, offset: BigInt(racers) }]);
  },

  async 'loses no change of a row that several partitions change at once'(trial) {
    const id = await trial.live();
    const { racers } = trial;
    const rounds = [0, 1, 2];
    for (const round of rounds) {
      await Promise.all(
        Array.from({ length: racers }, (_, i) =>
          trial.add(id, `k${String(round)}`, i, trial.any(i)),
        ),
      );
    }
    deepEqual(await trial.values(), { k0: racers, k1: racers, k2: racers });
    const rows = await trial.store.read(trial.ref, ['k0']);
    equal(rows?.get('k0')?.version, racers);
  },

  async 'changes many rows at once, from several partitions in any order'(trial) {
    const id = await trial.live();
    const keys = Array.from({ length: trial.batchSize }, (_, i) => `k${String(i)}`);
    const orders = [keys, keys.toReversed(), keys];
    await Promise.all(
      orders.map(async (order, partition) => {
        const rows = Object.fromEntries(order.map((key) => [key, key]));
        return trial.set(id, rows, { partition, store: trial.any(partition) });
      }),
    );
    const rows = await trial.store.read(trial.ref, keys);
    ok(rows);
    equal(rows.size, trial.batchSize);
    ok(
      [...rows].every(([key, { json, version }]) => json === JSON.stringify(key) && version === 3),
    );
    await trial.set(id, Object.fromEntries(keys.map((key) => [key, null])), { offset: 2n });
    deepEqual(await trial.values(), {});
  },

  async 'keeps any JSON and any text as a key'(trial) {
    const id = await trial.live();
    const values = {
      'it’s "q" %_\\ \n': { a: [1, -0.5, 1e21, null, true, { b: '' }], 'c d': 'ü😀' },
      '😀': 'null',
      ['x'.repeat(512)]: false,
      '\u0001': 0,
      '\\u0000': 'a \\u0000 in words',
      __proto__x: [],
      ' ': { text: '\u2028\u0007' },
    };
    await trial.set(id, values);
    deepEqual(await trial.values(), values);
    const rows = await trial.store.read(trial.ref, Object.keys(values));
    equal(rows?.size, Object.keys(values).length);
  },

  async 'lists rows by the bytes of their keys, page by page, and only those asked for'(trial) {
    const id = await trial.live();
    // U+FF5E comes before U+1F600 in UTF-8, and behind it in UTF-16.
    const keys = ['', 'B', 'a', 'a%', 'a_1', 'ab', 'b', 'é', '\uff5e', '\u{1f600}'].slice(1);
    await trial.set(
      id,
      Object.fromEntries(
        keys.toReversed().map((key) => [key, { open: key < 'b', size: key.length }]),
      ),
    );
    deepEqual(await trial.keys({}), keys);
    deepEqual(await trial.keys({ limit: 2 }), ['B', 'a']);
    deepEqual(await trial.keys({ after: 'a', limit: 2 }), ['a%', 'a_1']);
    deepEqual(await trial.keys({ prefix: 'a' }), ['a', 'a%', 'a_1', 'ab']);
    deepEqual(await trial.keys({ prefix: 'a_' }), ['a_1']);
    deepEqual(await trial.keys({ prefix: 'a', after: 'a%' }), ['a_1', 'ab']);
    deepEqual(await trial.keys({ prefix: 'a', after: 'b' }), []);
    deepEqual(await trial.keys({ where: { open: false }, limit: 2 }), ['b', 'é']);
    deepEqual(await trial.keys({ where: { open: true, size: 2 } }), ['a%', 'ab']);
  },

  async 'compares the properties of values exactly'(trial) {
    const id = await trial.live();
    await trial.set(id, {
      a: { n: 1 },
      b: { n: '1' },
      c: { n: null },
      d: {},
      e: { n: [1] },
      f: [1],
      g: 'n',
    });
    deepEqual(await trial.keys({ where: { n: 1 } }), ['a']);
    deepEqual(await trial.keys({ where: { n: '1' } }), ['b']);
    deepEqual(await trial.keys({ where: { n: null } }), ['c']);
    deepEqual(await trial.keys({ where: { n: true } }), []);
  },

  async 'keeps views, versions and generations apart'(trial) {
    const id = await trial.live();
    const others = [
      { ...trial.ref, version: 2 },
      { view: `${trial.ref.view}x`, version: 1 },
    ];
    await trial.set(id, { a: 1 });
    for (const ref of others) {
      deepEqual(await trial.states(ref), {});
      const other = await trial.live(ref);
      await trial.set(other, { a: 2 });
      deepEqual(await trial.values(trial.store, ref), { a: 2 });
    }
    const building = await trial.begin();
    await trial.set(building, { a: 3 });
    deepEqual(await trial.values(), { a: 1 });
    deepEqual(await trial.states(), { [id]: 'live', [building]: 'building' });
  },

  async 'freezes a live generation for a while'(trial) {
    const id = await trial.live();
    const { store, unitMs } = trial;
    await trial.set(id, { a: 1 });
    equal(await trial.any(1).freeze(id, unitMs), true);
    equal(await store.freeze(id, unitMs), false, 'frozen already');
    equal(await trial.set(id, { a: 2 }, { offset: 2n }), 'frozen');
    deepEqual(await trial.values(), { a: 1 });
    await trial.onTrial.advance(unitMs * 1.1);
    equal(await trial.set(id, { a: 2 }, { offset: 2n }), 'changed');
    equal(await store.freeze(id, unitMs), false, 'it was frozen a moment ago');
    await trial.onTrial.advance(unitMs * 1.1);
    equal(await store.freeze(id, unitMs), true);
  },

  async 'freezes nothing that is being built'(trial) {
    const id = await trial.begin();
    equal(await trial.store.freeze(id, NEVER_MS), false);
    equal(await trial.set(id, { a: 1 }), 'changed');
  },

  async 'swaps a generation in when it has come as far as the frozen one, and not before'(trial) {
    const { store, ref } = trial;
    const old = await trial.live();
    await trial.set(old, { a: 1 }, { offset: 5n });
    await trial.set(old, { a: 1 }, { partition: 1, offset: 3n });
    const fresh = await trial.begin();
    await trial.set(fresh, { a: 'new' }, { offset: 4n });
    equal(await store.swap(ref, fresh, []), false, 'the other is not frozen');
    equal(await store.freeze(old, NEVER_MS), true);
    equal(await store.swap(ref, fresh, []), false, 'it is behind in both');
    await trial.set(fresh, { a: 'new' }, { offset: 6n });
    equal(await store.swap(ref, fresh, []), false, 'it is behind in one');
    const known = [{ topic: TOPIC, partition: 1, offset: 3n }];
    equal(await trial.any(1).swap(ref, fresh, known), true);
    deepEqual(await trial.states(), { [fresh]: 'live' });
    deepEqual(await trial.values(), { a: 'new' });
    equal(await trial.set(old, { a: 2 }, { offset: 9n }), 'gone');
    equal(await trial.set(fresh, { b: 1 }, { offset: 9n }), 'changed');
  },

  async 'lets no change slip in between a freeze and the swap'(trial) {
    const { store, ref, racers } = trial;
    const old = await trial.live();
    await trial.set(old, { a: 0 });
    const fresh = await trial.begin();
    const answers = Array.from({ length: racers }, async (_, i) =>
      trial.set(old, { a: i }, { partition: i, store: trial.any(i) }),
    );
    equal(await store.freeze(old, NEVER_MS), true);
    const frozenAt = await trial.positions(old);
    await Promise.all(answers);
    deepEqual(await trial.positions(old), frozenAt);
    equal(await store.swap(ref, fresh, frozenAt ?? []), true);
  },

  async 'knows no generation that was never begun'(trial) {
    equal(await trial.set(newId(), { a: 1 }), 'gone');
  },

  async 'removes what is retired, some at a time, and keeps what is not'(trial) {
    const { store, ref } = trial;
    const old = await trial.live();
    const rows = Object.fromEntries(
      Array.from({ length: trial.batchSize }, (_, i) => [`k${String(i)}`, i]),
    );
    await trial.set(old, rows, { offset: 1n });
    const fresh = await trial.begin();
    await trial.set(fresh, { a: 1 }, { offset: 1n });
    await store.freeze(old, NEVER_MS);
    equal(await store.swap(ref, fresh, []), true);
    for (let sweeps = 0; await store.sweep(ref, NEVER_MS); sweeps++) ok(sweeps < 1_000);
    deepEqual(await trial.values(), { a: 1 });
    deepEqual(await trial.states(), { [fresh]: 'live' });
  },

  async 'removes other versions when nobody runs them, once its own is live'(trial) {
    const { store, ref, unitMs } = trial;
    // Of a store in memory, every process has its own.
    if (store.inProcess) return;
    const sweep = async (of: ViewRef) => {
      for (let sweeps = 0; await store.sweep(of, unitMs * 3); sweeps++) ok(sweeps < 1_000);
    };
    const [older, newer] = [
      { ...ref, version: 1 },
      { ...ref, version: 2 },
    ];
    await trial.set(await trial.live(older), { a: 1 });
    await sweep(older);
    const id = await store.begin(newer, newId());
    await trial.onTrial.advance(unitMs * 3.5);
    await sweep(newer);
    deepEqual(await trial.values(store, older), { a: 1 }, 'the newer is not live yet');
    equal(await store.swap(newer, id, []), true);
    await sweep(older);
    await sweep(newer);
    deepEqual(await trial.values(store, older), { a: 1 }, 'the older is still run');
    await trial.onTrial.advance(unitMs * 3.5);
    await sweep(newer);
    equal(await trial.values(store, older), null);
    deepEqual(await trial.states(newer), { [id]: 'live' });
  },
};
