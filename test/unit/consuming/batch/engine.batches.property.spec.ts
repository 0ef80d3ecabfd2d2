import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';

import type { EventBatch } from '../../../../lib/consuming/batch/event-batch.js';
import type { IdempotencyStore } from '../../../../lib/idempotency/idempotency-store.js';
import { MemoryIdempotencyStore } from '../../../../lib/idempotency/memory-idempotency-store.js';
import { anyEvent, batchHandlerOf, startEngine, type Engine } from '../../../support/engine.js';
import { append, idOf } from '../../../support/engine-events.js';
import { eventually } from '../../../support/eventually.js';
import { ModelPartition } from '../../../support/model-kafka.js';

const Created = anyEvent('order.created');
const QUICK = { attempts: 1_000, initialDelayMs: 0, factor: 1, maxDelayMs: 0, jitter: 0 };

/** What a handler does with one record. */
type Deed = 'handle' | 'settle' | 'retry' | 'dead-letter';

type Move =
  | { readonly kind: 'append'; readonly partition: number; readonly key: number }
  | { readonly kind: 'duplicate'; readonly of: number }
  | { readonly kind: 'fetch'; readonly partition: number; readonly max: number }
  | {
      readonly kind: 'finish';
      readonly which: number;
      readonly deeds: readonly Deed[];
      readonly throws: boolean;
    }
  | { readonly kind: 'dead letters'; readonly accepted: boolean }
  | { readonly kind: 'rebalance'; readonly keep: number }
  | { readonly kind: 'evict'; readonly keep: number }
  | { readonly kind: 'turn' };

const partition = fc.nat({ max: 1 });
const deed = fc.constantFrom<Deed>('handle', 'handle', 'settle', 'retry', 'dead-letter');
const move: fc.Arbitrary<Move> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('append' as const),
      partition,
      key: fc.nat({ max: 3 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('duplicate' as const), of: fc.nat() }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('fetch' as const),
      partition,
      max: fc.integer({ min: 1, max: 8 }),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('finish' as const),
      which: fc.nat(),
      deeds: fc.array(deed, { minLength: 5, maxLength: 5 }),
      throws: fc.boolean(),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('dead letters' as const), accepted: fc.boolean() }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('rebalance' as const), keep: fc.nat({ max: 3 }) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('evict' as const), keep: fc.nat({ max: 3 }) }),
  },
  { weight: 5, arbitrary: fc.constant({ kind: 'turn' as const }) },
);

interface Running {
  readonly batch: EventBatch;
  readonly finish: (deeds: readonly Deed[], throws: boolean) => void;
}

/** The memory store as if it were across a network: every call is answered a little later. */
function faraway(store: MemoryIdempotencyStore): IdempotencyStore {
  return {
    name: 'faraway',
    inProcess: false,
    claim: (requests) => Promise.resolve(store.claim(requests)),
    complete: (requests) => Promise.resolve(store.complete(requests)),
    release: (requests) => {
      store.release(requests);
      return Promise.resolve();
    },
    renew: (requests) => Promise.resolve(store.renew(requests)),
  };
}

/** A run of the engine under a script of moves, with a handler that keeps to the rules of batches. */
class Scenario {
  readonly partitions = [new ModelPartition('orders', 0), new ModelPartition('orders', 1)] as const;
  readonly running: Running[] = [];
  /** Ids in the order in which they were dealt with for good: handled, or given up. */
  readonly fates: string[] = [];
  readonly givenUp = new Set<string>();
  readonly appended: { id: string; key: string; partition: number }[] = [];
  #engine: Engine | null = null;
  #calm = false;
  #refusesDeadLetters = false;

  async start(isFar: boolean): Promise<void> {
    const body = (batch: EventBatch): Promise<void> | undefined => {
      expect(batch.length).toBeLessThanOrEqual(5);
      const offsets = [...batch].map(({ offset }) => Number(offset));
      expect(offsets).toEqual([...offsets].sort((a, b) => a - b));
      if (this.#calm) {
        this.#do(batch, [], false);
        return undefined;
      }
      return new Promise((resolve, reject) => {
        this.running.push({
          batch,
          finish: (deeds, throws) => {
            this.#do(batch, deeds, throws);
            if (throws) reject(new Error('as told'));
            else resolve();
          },
        });
      });
    };
    const settings = { maxSize: 5, maxWaitMs: 0, retry: QUICK };
    const store = new MemoryIdempotencyStore();
    this.#engine = await startEngine(
      this.partitions,
      [batchHandlerOf('h', [Created], body, settings)],
      {
        group: { maxSpan: 12, commitIntervalMs: 0 },
        store: isFar ? faraway(store) : store,
        onDeadLetter: (_topic, { value }) => {
          if (this.#refusesDeadLetters) throw new Error('refused');
          this.fates.push(idOf(JSON.parse(value?.toString() ?? '{}')));
        },
      },
    );
  }

  get engine(): Engine {
    if (this.#engine === null) throw new Error('not started');
    return this.#engine;
  }

  async play(step: Move): Promise<void> {
    const { kafka } = this.engine;
    switch (step.kind) {
      case 'append':
        this.#append(`e${String(this.appended.length)}`, `k${String(step.key)}`, step.partition);
        break;
      case 'duplicate': {
        const original = this.appended[step.of % Math.max(1, this.appended.length)];
        if (original !== undefined) {
          append(this.#partition(original.partition), original.id, { key: original.key });
        }
        break;
      }
      case 'fetch':
        kafka.fetch(this.#partition(step.partition), step.max);
        break;
      case 'finish':
        for (const each of this.running.splice(step.which % Math.max(1, this.running.length), 1)) {
          each.finish(step.deeds, step.throws);
        }
        break;
      case 'dead letters':
        this.#refusesDeadLetters = !step.accepted;
        break;
      case 'rebalance':
        await kafka.rebalance(this.#chosen(step.keep), 1);
        break;
      case 'evict':
        kafka.evict(this.#chosen(step.keep));
        break;
      case 'turn':
        await new Promise((resolve) => setImmediate(resolve));
    }
    this.#check();
  }

  /** Everything is ours, nothing fails any more: all that was appended must come to its end. */
  async settle(): Promise<void> {
    const { kafka } = this.engine;
    this.#calm = true;
    this.#refusesDeadLetters = false;
    for (const each of this.running.splice(0)) each.finish([], false);
    await kafka.rebalance(this.partitions, 1_000);
    await eventually(
      () => {
        for (const each of this.partitions) kafka.fetch(each);
        this.#check();
        return this.partitions.every((each) => (each.committed ?? 0n) === each.endOffset);
      },
      { intervalMs: 1, message: 'every record settled and committed' },
    );
  }

  /** What a handler does: in order, and nothing more for a key of which a record failed. */
  #do(batch: EventBatch, deeds: readonly Deed[], throws: boolean): void {
    const failed = new Set<string | null>();
    for (const { index, payload, aggregateId } of batch) {
      const deed = deeds[index] ?? 'handle';
      if (failed.has(aggregateId)) continue;
      if (deed === 'retry') batch.retry(index, new Error('as told'), 0);
      if (deed === 'dead-letter') batch.deadLetter(index, 'as told');
      if (deed === 'settle') batch.settle(index);
      // What is given up ends with its dead letter, and the handler goes on with the next of its key.
      if (deed === 'dead-letter') this.givenUp.add(idOf(payload));
      else if (deed === 'retry' || (deed === 'handle' && throws)) failed.add(aggregateId);
      else this.fates.push(idOf(payload));
    }
  }

  #append(id: string, key: string, number: number): void {
    const ofPartition = `${key}-${String(number)}`;
    append(this.#partition(number), id, { key: ofPartition });
    this.appended.push({ id, key: ofPartition, partition: number });
  }

  /** The broker's committed offset never goes back and never passes a record without its fate. */
  #check(): void {
    const done = new Set(this.fates);
    for (const { commits, committed, log } of this.partitions) {
      for (let i = 1; i < commits.length; i++) {
        expect((commits[i] ?? 0n) >= (commits[i - 1] ?? 0n)).toBe(true);
      }
      for (const { offset, value } of log) {
        if (committed === null || offset >= committed) break;
        expect(done.has(idOf(JSON.parse(value?.toString() ?? '{}')))).toBe(true);
      }
    }
  }

  #partition(number: number): ModelPartition {
    return number === 0 ? this.partitions[0] : this.partitions[1];
  }

  #chosen(bits: number): readonly ModelPartition[] {
    return this.partitions.filter((_, number) => (bits & (1 << number)) !== 0);
  }
}

describe('batches, whatever their handlers say and whatever happens', () => {
  it('give each record one fate, repeat nothing completed, keep the order of each key', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.boolean(),
        fc.array(move, { minLength: 20, maxLength: 200, size: 'max' }),
        async (isFar, moves) => {
          const scenario = new Scenario();
          await scenario.start(isFar);
          for (const step of moves) await scenario.play(step);
          await scenario.settle();
          const { fates, givenUp, appended } = scenario;
          expect([...fates].sort()).toEqual(appended.map(({ id }) => id).sort());
          const keyOf = new Map(appended.map(({ id, key }) => [id, key]));
          for (const key of new Set(keyOf.values())) {
            const isOrdered = (id: string): boolean => keyOf.get(id) === key && !givenUp.has(id);
            const wanted = appended.map(({ id }) => id).filter(isOrdered);
            expect(fates.filter(isOrdered)).toEqual(wanted);
          }
        },
      ),
      { numRuns: 200 },
    );
  }, 60_000);
});
