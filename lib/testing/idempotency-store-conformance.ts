import { deepEqual, equal, ok } from 'node:assert/strict';
import { randomUUID } from 'node:crypto';

import type {
  ClaimAnswer,
  CompletedState,
  IdempotencyStore,
  Suspicion,
} from '../idempotency/idempotency-store.js';
import type { ConformanceCase } from './conformance-case.js';

/** A store on trial, with what the suite needs to try it. */
export interface IdempotencyStoreOnTrial {
  readonly store: IdempotencyStore;
  /** Other stores over the same data, as other processes would have them; none for a store in memory. */
  readonly peers?: readonly IdempotencyStore[];
  /** Lets time pass for the store: moves a manual clock, or really waits. */
  advance(ms: number): Promise<void> | void;
  /** Called after the case, passed or not. */
  dispose?(): Promise<void> | void;
}

export interface IdempotencyStoreConformanceOptions {
  /** A fresh store; it may share its data with those of earlier cases, which use other keys. */
  create(): Promise<IdempotencyStoreOnTrial>;
  /**
   * The suite's unit of time, in milliseconds: what must run out lasts 4 units. Raise it where a
   * call may take as long as that. Default 100.
   */
  readonly unitMs?: number;
  /** Keys of the largest call. Default 2,000. */
  readonly batchSize?: number;
  /** Claimers that race for one key. Default 100. */
  readonly claimers?: number;
}

/** The longest wait of a case is twice this many units. */
const SHORT_UNITS = 4;
/** Never runs out while a case runs. */
const LONG_MS = 600_000;

/**
 * What every {@link IdempotencyStore} must do, as cases for any test runner.
 *
 * A store that passes keeps the promises the engine builds on: one holder at a time, completions
 * fenced by token, attempts that survive, marks that last exactly as long as asked. What is optional
 * in the port is tried where the store has it.
 */
export function idempotencyStoreConformance(
  options: IdempotencyStoreConformanceOptions,
): readonly ConformanceCase[] {
  const suspecting = Object.entries(SUSPECT_CASES).map(
    ([name, body]) => [name, whereSuspected(body)] as const,
  );
  const refreshing = Object.entries(REFRESH_CASES).map(
    ([name, body]) => [name, whereRefreshed(body)] as const,
  );
  return [...Object.entries(CASES), ...suspecting, ...refreshing].map(([name, body]) => ({
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

/** The port in the words of the cases: one key at a time, a lease and a retention that last. */
class Trial {
  readonly store: IdempotencyStore;
  readonly shortMs: number;
  readonly batchSize: number;
  readonly #prefix = randomUUID();
  readonly #unitMs: number;
  readonly #claimers: number;

  constructor(
    private readonly onTrial: IdempotencyStoreOnTrial,
    { unitMs = 100, batchSize = 2_000, claimers = 100 }: IdempotencyStoreConformanceOptions,
  ) {
    this.store = onTrial.store;
    this.#unitMs = unitMs;
    this.shortMs = SHORT_UNITS * unitMs;
    this.batchSize = batchSize;
    this.#claimers = claimers;
  }

  key(name = 'key'): string {
    return `${this.#prefix}:${name}`;
  }

  /** Longer than what is short, by enough that no clock can disagree. */
  async runOut(): Promise<void> {
    await this.onTrial.advance(this.shortMs + this.#unitMs);
  }

  async passHalf(): Promise<void> {
    await this.onTrial.advance(this.shortMs / 2);
  }

  async claim(
    token: string,
    { key = this.key(), level = 0, leaseMs = LONG_MS, retentionMs = LONG_MS } = {},
  ) {
    const answers = await this.store.claim([{ key, token, leaseMs, level, retentionMs }]);
    return only(answers);
  }

  async complete(
    token: string,
    state: CompletedState = 'done',
    { key = this.key(), level = 0, retentionMs = LONG_MS } = {},
  ): Promise<boolean> {
    return only(await this.store.complete([{ key, token, state, level, retentionMs }]));
  }

  async release(token: string, attempts: number, retentionMs = LONG_MS): Promise<void> {
    await this.store.release([{ key: this.key(), token, attempts, retentionMs }]);
  }

  async renew(token: string, leaseMs = LONG_MS): Promise<boolean> {
    return only(await this.store.renew([{ key: this.key(), token, leaseMs }]));
  }

  /** Says that the claim's handler is about to run. */
  async start(token: string, { alone = false } = {}): Promise<boolean> {
    return only((await this.store.start?.([{ key: this.key(), token, alone }])) ?? []);
  }

  async refresh(retentionMs = LONG_MS, key = this.key()): Promise<void> {
    await this.store.refresh?.([{ key, retentionMs }]);
  }

  /** Claims the key for a moment that passes, after the handler has started where that is said. */
  async lapse(token: string, run: 'not started' | 'together' | 'alone'): Promise<ClaimAnswer> {
    const answer = await this.claim(token, { leaseMs: this.shortMs });
    if (run !== 'not started') equal(await this.start(token, { alone: run === 'alone' }), true);
    await this.runOut();
    return answer;
  }

  /** All claimers claim the key at once; one answer each. */
  race(): Promise<readonly ClaimAnswer[]> {
    const request = { key: this.key(), leaseMs: LONG_MS, level: 0, retentionMs: LONG_MS };
    const claimers = Array.from({ length: this.#claimers }, (_, i) => i);
    return Promise.all(
      claimers.map(async (i) =>
        only(await this.#storeOf(i).claim([{ ...request, token: `#${i}` }])),
      ),
    );
  }

  async completeRace(claimer: number): Promise<boolean> {
    const mark = { key: this.key(), state: 'done', level: 0, retentionMs: LONG_MS } as const;
    return only(await this.#storeOf(claimer).complete([{ ...mark, token: `#${claimer}` }]));
  }

  /** This store and its peers, in turn. */
  #storeOf(claimer: number): IdempotencyStore {
    const stores = [this.store, ...(this.onTrial.peers ?? [])];
    return stores[claimer % stores.length] ?? this.store;
  }
}

type Cases = Readonly<Record<string, (trial: Trial) => Promise<void>>>;

const CASES: Cases = {
  'grants an unknown key, without attempts': async (t) => {
    deepEqual(await t.claim('a'), claimed(0));
  },

  'answers in-progress while somebody holds the key, and for how long': async (t) => {
    await t.claim('a');
    inProgress(await t.claim('b'), LONG_MS);
  },

  'grants a claim again to the token that holds it, and to that alone': async (t) => {
    await t.claim('a');
    await t.release('a', 2);
    deepEqual(await t.claim('b', { leaseMs: t.shortMs }), claimed(2));
    deepEqual(await t.claim('b'), claimed(2));
    await t.runOut();
    inProgress(await t.claim('a'), LONG_MS);
    equal(await t.complete('b'), true);
    deepEqual(await t.claim('b'), { status: 'done' });
  },

  'answers done once the holder completed': async (t) => {
    await t.claim('a');
    equal(await t.complete('a'), true);
    deepEqual(await t.claim('b'), { status: 'done' });
    deepEqual(await t.claim('c', { level: 9 }), { status: 'done' });
  },

  'answers parked and dead until a higher level asks': async (t) => {
    for (const state of ['parked', 'dead'] as const) {
      const key = t.key(state);
      await t.claim('a', { key });
      equal(await t.complete('a', state, { key, level: 2 }), true);
      deepEqual(await t.claim('b', { key, level: 0 }), { status: state });
      deepEqual(await t.claim('b', { key, level: 2 }), { status: state });
      deepEqual(await t.claim('b', { key, level: 3 }), claimed(0));
      inProgress(await t.claim('c', { key, level: 4 }), LONG_MS);
      equal(await t.complete('b', state, { key, level: 3 }), true);
      deepEqual(await t.claim('c', { key, level: 3 }), { status: state });
    }
  },

  'answers parked to levels below that of a claim which was given back, or lapsed': async (t) => {
    await t.claim('a');
    equal(await t.complete('a', 'parked'), true);
    deepEqual(await t.claim('b', { level: 1 }), claimed(0));
    inProgress(await t.claim('c'), LONG_MS);
    await t.release('b', 2);
    deepEqual(await t.claim('c'), { status: 'parked' });
    deepEqual(await t.claim('d', { level: 1, leaseMs: t.shortMs }), claimed(2));
    await t.runOut();
    deepEqual(await t.claim('e'), { status: 'parked' });
    deepEqual(await t.claim('e', { level: 2 }), takenOver(t, 2));
  },

  'counts attempts from zero when a parked key reopens': async (t) => {
    await t.claim('a');
    await t.release('a', 3);
    deepEqual(await t.claim('b'), claimed(3));
    await t.complete('b', 'parked', { level: 1 });
    deepEqual(await t.claim('c', { level: 2 }), claimed(0));
  },

  'frees a released key and keeps its attempts': async (t) => {
    await t.claim('a');
    await t.release('a', 2);
    deepEqual(await t.claim('b'), claimed(2));
    await t.release('b', 0);
    deepEqual(await t.claim('c'), claimed(0));
  },

  'forgets attempts after the retention of the release': async (t) => {
    await t.claim('a');
    await t.release('a', 2, t.shortMs);
    await t.runOut();
    deepEqual(await t.claim('b'), claimed(0));
  },

  'leaves a key alone that is released by anybody but its holder': async (t) => {
    await t.release('a', 5);
    deepEqual(await t.claim('a'), claimed(0));
    await t.release('b', 7);
    inProgress(await t.claim('c'), LONG_MS);
    await t.complete('a');
    await t.release('a', 1);
    deepEqual(await t.claim('c'), { status: 'done' });
  },

  'frees the key when the lease runs out': async (t) => {
    await t.claim('a', { leaseMs: t.shortMs });
    inProgress(await t.claim('b'), t.shortMs);
    await t.runOut();
    deepEqual(await t.claim('b'), takenOver(t, 0));
    inProgress(await t.claim('a'), LONG_MS);
  },

  'keeps attempts through a lease that ran out': async (t) => {
    await t.claim('a');
    await t.release('a', 4);
    await t.claim('b', { leaseMs: t.shortMs });
    await t.runOut();
    deepEqual(await t.claim('c'), takenOver(t, 4));
  },

  'forgets attempts when the claim that ran out is forgotten': async (t) => {
    await t.claim('a');
    await t.release('a', 4);
    await t.claim('b', { leaseMs: t.shortMs / 4, retentionMs: t.shortMs / 2 });
    await t.runOut();
    deepEqual(await t.claim('c'), claimed(0));
  },

  'renews the lease of its holder': async (t) => {
    await t.claim('a', { leaseMs: t.shortMs });
    await t.passHalf();
    equal(await t.renew('a', 2 * t.shortMs), true);
    await t.runOut();
    inProgress(await t.claim('b'), 2 * t.shortMs);
  },

  'renews nothing that is absent, free, finished or held by somebody else': async (t) => {
    equal(await t.renew('a'), false);
    await t.claim('a');
    equal(await t.renew('b', 1), false);
    inProgress(await t.claim('b'), LONG_MS);
    await t.release('a', 1);
    equal(await t.renew('a'), false);
    deepEqual(await t.claim('b'), claimed(1));
    await t.complete('b');
    equal(await t.renew('b'), false);
    deepEqual(await t.claim('c'), { status: 'done' });
  },

  'refuses the holder of a lease that ran out, once somebody else has claimed': async (t) => {
    await t.claim('a', { leaseMs: t.shortMs });
    await t.runOut();
    await t.claim('b');
    equal(await t.renew('a'), false);
    equal(await t.complete('a'), false);
    await t.release('a', 9);
    inProgress(await t.claim('c'), LONG_MS);
    equal(await t.complete('b', 'parked', { level: 1 }), true);
    equal(await t.complete('a', 'done'), false);
    deepEqual(await t.claim('c'), { status: 'parked' });
  },

  'accepts a late completion while nobody else has claimed': async (t) => {
    await t.claim('a', { leaseMs: t.shortMs });
    await t.runOut();
    equal(await t.complete('a'), true);
    deepEqual(await t.claim('b'), { status: 'done' });
  },

  'accepts a completion of a key that is free or was never heard of': async (t) => {
    equal(await t.complete('a', 'dead', { level: 1 }), true);
    deepEqual(await t.claim('b'), { status: 'dead' });
    deepEqual(await t.claim('b', { level: 2 }), claimed(0));
    await t.release('b', 1);
    equal(await t.complete('a'), true);
    deepEqual(await t.claim('c'), { status: 'done' });
  },

  'lets the holder complete again: the mark lasts from the last time': async (t) => {
    await t.claim('a');
    equal(await t.complete('a', 'done', { retentionMs: t.shortMs }), true);
    equal(await t.complete('a'), true);
    await t.runOut();
    equal(await t.complete('b'), false);
    deepEqual(await t.claim('b'), { status: 'done' });
  },

  'forgets marks when their retention is over, and not before': async (t) => {
    for (const state of ['done', 'parked', 'dead'] as const) {
      await t.complete('a', state, { key: t.key(state), level: 1, retentionMs: t.shortMs });
    }
    await t.passHalf();
    for (const state of ['done', 'parked', 'dead'] as const) {
      deepEqual(await t.claim('b', { key: t.key(state) }), { status: state });
    }
    await t.runOut();
    for (const state of ['done', 'parked', 'dead'] as const) {
      deepEqual(await t.claim('c', { key: t.key(state) }), claimed(0));
    }
  },

  'answers a key asked for twice in one call as by two calls': async (t) => {
    const request = { key: t.key(), leaseMs: LONG_MS, level: 0, retentionMs: LONG_MS };
    const [first, second] = await t.store.claim([
      { ...request, token: 'a' },
      { ...request, token: 'b' },
    ]);
    deepEqual(first, claimed(0));
    inProgress(second, LONG_MS);
    const mark = { key: t.key(), state: 'done', level: 0, retentionMs: LONG_MS } as const;
    deepEqual(
      await t.store.complete([
        { ...mark, token: 'b' },
        { ...mark, token: 'a' },
      ]),
      [false, true],
    );
  },

  'answers in the order of the requests': async (t) => {
    await t.complete('x', 'done', { key: t.key('done') });
    await t.complete('x', 'dead', { key: t.key('dead') });
    await t.claim('x', { key: t.key('held') });
    const names = ['free', 'held', 'dead', 'done', 'held', 'free too'];
    const answers = await t.store.claim(
      names.map((name) => ({
        ...{ key: t.key(name), token: `a ${name}` },
        ...{ leaseMs: LONG_MS, level: 0, retentionMs: LONG_MS },
      })),
    );
    deepEqual(
      answers.map(({ status }) => status),
      ['claimed', 'in-progress', 'dead', 'done', 'in-progress', 'claimed'],
    );
    const renewed = await t.store.renew(
      names.map((name) => ({ key: t.key(name), token: `a ${name}`, leaseMs: LONG_MS })),
    );
    deepEqual(renewed, [true, false, false, false, false, true]);
  },

  'answers empty calls': async (t) => {
    deepEqual(await t.store.claim([]), []);
    deepEqual(await t.store.complete([]), []);
    deepEqual(await t.store.renew([]), []);
    await t.store.release([]);
  },

  'takes big calls': async (t) => {
    const keys = Array.from({ length: t.batchSize }, (_, i) => t.key(String(i)));
    const claims = keys.map((key, i) => ({
      key,
      token: `a${String(i)}`,
      leaseMs: LONG_MS,
      level: 0,
      retentionMs: LONG_MS,
    }));
    deepEqual(
      await t.store.claim(claims),
      claims.map(() => claimed(0)),
    );
    deepEqual(
      await t.store.renew(claims),
      claims.map(() => true),
    );
    const marks = claims.map(({ key, token }, i) => ({
      key,
      token,
      state: i % 2 === 0 ? ('done' as const) : ('dead' as const),
      level: 0,
      retentionMs: LONG_MS,
    }));
    deepEqual(
      await t.store.complete(marks),
      marks.map(() => true),
    );
    deepEqual(
      await t.store.claim(claims),
      marks.map(({ state }) => ({ status: state })),
    );
  },

  'keeps keys apart, whatever they are made of': async (t) => {
    const long = 'k'.repeat(4_000);
    const names = [
      '',
      ' ',
      'a',
      'A',
      'a ',
      'a\u0000b',
      'a\u0000\u0000b',
      'a\nb',
      '{a}:b*?[x]%_',
      `it's "quoted" \\ $1`,
      'Übergröße-日本-😀',
      'e\u0301',
      '\u00e9',
      '__proto__',
      long,
      `${long}1`,
      `${long}2`,
    ];
    for (const name of names) {
      deepEqual(await t.claim('a', { key: t.key(name) }), claimed(0), `claim of ${show(name)}`);
    }
    for (const name of names) {
      equal(await t.complete('a', 'done', { key: t.key(name) }), true, `end of ${show(name)}`);
    }
    for (const name of names) {
      deepEqual(await t.claim('b', { key: t.key(name) }), { status: 'done' });
    }
  },

  'lets exactly one of many claimers win': async (t) => {
    const answers = await t.race();
    const winners = answers.flatMap(({ status }, i) => (status === 'claimed' ? [i] : []));
    equal(winners.length, 1, `${winners.length} claimers hold the same key`);
    for (const answer of answers) if (answer.status !== 'claimed') inProgress(answer, LONG_MS);
    const ends = await Promise.all(answers.map((_, i) => t.completeRace(i)));
    deepEqual(
      ends.flatMap((end, i) => (end ? [i] : [])),
      winners,
    );
  },

  'lets exactly one of many claimers take over a lease that ran out': async (t) => {
    await t.claim('gone', { leaseMs: t.shortMs });
    await t.runOut();
    const answers = await t.race();
    equal(answers.filter(({ status }) => status === 'claimed').length, 1);
  },
};

/** What a store with `start` must do. */
const SUSPECT_CASES: Cases = {
  'suspects a key whose lease ran out, and no other': async (t) => {
    deepEqual(await t.claim('a'), claimed(0));
    await t.release('a', 0);
    deepEqual(await t.lapse('b', 'not started'), claimed(0));
    deepEqual(await t.claim('c'), claimed(0, { crashes: 0, crashesAlone: 0 }));
  },

  'counts the runs that had started when their lease ran out, and those alone': async (t) => {
    await t.lapse('a', 'together');
    deepEqual(await t.lapse('b', 'not started'), claimed(0, { crashes: 1, crashesAlone: 0 }));
    deepEqual(await t.lapse('c', 'alone'), claimed(0, { crashes: 1, crashesAlone: 0 }));
    deepEqual(await t.lapse('d', 'alone'), claimed(0, { crashes: 2, crashesAlone: 1 }));
    deepEqual(await t.claim('e'), claimed(0, { crashes: 3, crashesAlone: 2 }));
  },

  'counts a run once, however often it was noted, and as it was noted last': async (t) => {
    await t.claim('a', { leaseMs: t.shortMs });
    await t.start('a', { alone: true });
    await t.start('a');
    await t.claim('a', { leaseMs: t.shortMs });
    await t.runOut();
    deepEqual(await t.claim('b'), claimed(0, { crashes: 1, crashesAlone: 0 }));
  },

  'notes no start of a claim that is absent, free, finished or held by somebody else': async (
    t,
  ) => {
    equal(await t.start('a'), false);
    await t.claim('a');
    equal(await t.start('b'), false);
    await t.release('a', 1);
    equal(await t.start('a'), false);
    await t.claim('b');
    await t.complete('b');
    equal(await t.start('b'), false);
    deepEqual(await t.claim('c'), { status: 'done' });
  },

  'leaves the lease as it was when a start is noted': async (t) => {
    await t.claim('a', { leaseMs: t.shortMs });
    await t.passHalf();
    await t.start('a');
    inProgress(await t.claim('b'), t.shortMs);
    await t.runOut();
    deepEqual(await t.claim('b'), claimed(0, { crashes: 1, crashesAlone: 0 }));
  },

  'suspects no more what a handler came back from': async (t) => {
    await t.lapse('a', 'together');
    deepEqual(await t.claim('b'), claimed(0, { crashes: 1, crashesAlone: 0 }));
    await t.start('b');
    await t.release('b', 1);
    deepEqual(await t.claim('c'), claimed(1));
    await t.release('c', 1);
    await t.lapse('d', 'together');
    await t.claim('e');
    await t.complete('e', 'parked', { level: 1 });
    deepEqual(await t.claim('f', { level: 2 }), claimed(0));
  },

  'suspects on what was given back before its handler ran': async (t) => {
    await t.lapse('a', 'alone');
    await t.claim('b');
    await t.release('b', 2);
    deepEqual(await t.claim('c'), claimed(2, { crashes: 1, crashesAlone: 1 }));
  },

  'keeps suspicions for the retention of the claim, renewals and starts included': async (t) => {
    const leaseMs = t.shortMs / 4;
    await t.claim('a', { leaseMs, retentionMs: 3 * t.shortMs });
    await t.start('a');
    await t.renew('a', leaseMs);
    await t.runOut();
    deepEqual(
      await t.claim('b', { leaseMs, retentionMs: t.shortMs / 2 }),
      claimed(0, { crashes: 1, crashesAlone: 0 }),
    );
    await t.start('b');
    await t.runOut();
    deepEqual(await t.claim('c'), claimed(0));
  },

  'answers starts in the order of the requests': async (t) => {
    deepEqual(await t.store.start?.([]), []);
    const keys = Array.from({ length: t.batchSize }, (_, i) => t.key(String(i)));
    const request = { leaseMs: LONG_MS, level: 0, retentionMs: LONG_MS };
    await t.store.claim(
      keys.map((key, i) => ({ ...request, key, token: i % 3 === 0 ? 'ours' : 'theirs' })),
    );
    deepEqual(
      await t.store.start?.(keys.map((key) => ({ key, token: 'ours', alone: false }))),
      keys.map((_, i) => i % 3 === 0),
    );
  },
};

/** What a store with `refresh` must do. */
const REFRESH_CASES: Cases = {
  'has marks last from their refreshing, whoever made them': async (t) => {
    for (const state of ['done', 'parked', 'dead'] as const) {
      await t.complete('a', state, { key: t.key(state), retentionMs: t.shortMs });
    }
    await t.passHalf();
    for (const state of ['done', 'parked', 'dead'] as const) await t.refresh(LONG_MS, t.key(state));
    await t.runOut();
    for (const state of ['done', 'parked', 'dead'] as const) {
      deepEqual(await t.claim('b', { key: t.key(state) }), { status: state });
    }
    deepEqual(await t.claim('b', { key: t.key('dead'), level: 1 }), claimed(0));
  },

  'shortens no mark by refreshing it': async (t) => {
    await t.complete('a');
    await t.refresh(t.shortMs);
    await t.runOut();
    deepEqual(await t.claim('b'), { status: 'done' });
  },

  'forgets a refreshed mark when that is over': async (t) => {
    await t.complete('a', 'done', { retentionMs: t.shortMs / 2 });
    await t.refresh(t.shortMs);
    await t.runOut();
    deepEqual(await t.claim('b'), claimed(0));
  },

  'makes no mark by refreshing, and keeps no claim or released key for longer': async (t) => {
    await t.refresh();
    deepEqual(await t.claim('a', { leaseMs: t.shortMs }), claimed(0));
    await t.refresh();
    await t.runOut();
    deepEqual(await t.claim('b'), takenOver(t, 0));
    await t.release('b', 3, t.shortMs);
    await t.refresh();
    await t.runOut();
    deepEqual(await t.claim('c'), claimed(0));
  },

  'refreshes many in one call': async (t) => {
    await t.store.refresh?.([]);
    const keys = Array.from({ length: t.batchSize }, (_, i) => t.key(String(i)));
    const mark = { token: 'a', state: 'done', level: 0, retentionMs: 2 * t.shortMs } as const;
    await t.store.complete(keys.map((key) => ({ ...mark, key })));
    await t.store.refresh?.(keys.map((key) => ({ key, retentionMs: LONG_MS })));
    await t.runOut();
    await t.runOut();
    const request = { token: 'b', leaseMs: LONG_MS, level: 0, retentionMs: LONG_MS };
    const answers = await t.store.claim(keys.map((key) => ({ ...request, key })));
    equal(answers.filter(({ status }) => status === 'done').length, keys.length);
  },
};

/** A store without `refresh` keeps a mark for as long as it was asked to. */
function whereRefreshed(body: (trial: Trial) => Promise<void>): (trial: Trial) => Promise<void> {
  return async (t) => {
    if (t.store.refresh !== undefined) return body(t);
    await t.complete('a');
    deepEqual(await t.claim('b'), { status: 'done' });
  };
}

/** A store without `start` knows no suspects: whatever happens to a lease. */
function whereSuspected(body: (trial: Trial) => Promise<void>): (trial: Trial) => Promise<void> {
  return async (t) => {
    if (t.store.start !== undefined) return body(t);
    await t.lapse('a', 'not started');
    deepEqual(await t.claim('b'), claimed(0));
  };
}

/** What a claim is answered with whose lease ran out. */
function takenOver({ store }: Trial, attempts: number): ClaimAnswer {
  return claimed(attempts, store.start && { crashes: 0, crashesAlone: 0 });
}

function claimed(attempts: number, suspicion?: Suspicion): ClaimAnswer {
  return { status: 'claimed', attempts, ...(suspicion && { suspicion }) };
}

function inProgress(answer: ClaimAnswer | undefined, atMostMs: number): void {
  ok(
    answer?.status === 'in-progress' && answer.leaseMs > 0 && answer.leaseMs <= atMostMs,
    `expected in-progress for at most ${atMostMs} ms, got ${JSON.stringify(answer)}`,
  );
}

function only<T>(answers: readonly T[]): T {
  const [answer] = answers;
  ok(answers.length === 1 && answer !== undefined, `one request, ${answers.length} answers`);
  return answer;
}

function show(name: string): string {
  return JSON.stringify(name.length > 40 ? `${name.slice(0, 40)}…` : name);
}
