import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';

import { HEADERS } from '../../../lib/contracts/event-headers.js';
import { MemoryIdempotencyStore } from '../../../lib/idempotency/memory-idempotency-store.js';
import { anyEvent, handlerOf, startEngine, type Engine } from '../../support/engine.js';
import { eventually } from '../../support/eventually.js';
import { ModelPartition } from '../../support/model-kafka.js';

const Created = anyEvent('order.created');
const Shipped = anyEvent('order.shipped');
const QUICK = { attempts: 1_000, initialDelayMs: 0, factor: 1, maxDelayMs: 0, jitter: 0 };

/** What happens next, chosen by fast-check. */
type Move =
  | {
      readonly kind: 'append';
      readonly partition: number;
      readonly key: number;
      readonly gap: number;
    }
  | { readonly kind: 'duplicate'; readonly of: number }
  | { readonly kind: 'fetch'; readonly partition: number; readonly max: number }
  | { readonly kind: 'finish'; readonly which: number; readonly fails: boolean }
  | { readonly kind: 'commits'; readonly accepted: boolean }
  | { readonly kind: 'rebalance'; readonly keep: number }
  | { readonly kind: 'evict'; readonly keep: number }
  | { readonly kind: 'turn' };

const partition = fc.nat({ max: 1 });
const move: fc.Arbitrary<Move> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('append' as const),
      partition,
      key: fc.nat({ max: 3 }),
      gap: fc.nat({ max: 2 }),
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
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('finish' as const),
      which: fc.nat(),
      fails: fc.boolean(),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('commits' as const), accepted: fc.boolean() }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('rebalance' as const), keep: fc.nat({ max: 3 }) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('evict' as const), keep: fc.nat({ max: 3 }) }),
  },
  { weight: 4, arbitrary: fc.constant({ kind: 'turn' as const }) },
);

interface Running {
  readonly id: string;
  readonly finish: (fails: boolean) => void;
}

/** A run of the engine under a script of moves, checking its promises at every step. */
class Scenario {
  readonly partitions = [new ModelPartition('orders', 0), new ModelPartition('orders', 1)] as const;
  readonly running: Running[] = [];
  /** Event ids in the order their handlers succeeded. */
  readonly effects: string[] = [];
  readonly appended: { id: string; key: string; partition: number }[] = [];
  #engine: Engine | null = null;
  #calm = false;
  readonly #watermarks = new Map<string, bigint>();

  async start(): Promise<void> {
    const body = (payload: unknown): Promise<void> | undefined => {
      const { id } = payload as { id: string };
      if (this.#calm) {
        this.effects.push(id);
        return undefined;
      }
      return new Promise((resolve, reject) => {
        this.running.push({
          id,
          finish: (fails) => {
            if (fails) {
              reject(new Error('as told'));
              return;
            }
            this.effects.push(id);
            resolve();
          },
        });
      });
    };
    const handler = handlerOf('h', [Created, Shipped], body, { concurrency: 3, retry: QUICK });
    this.#engine = await startEngine(this.partitions, [handler], {
      group: { maxSpan: 12, commitIntervalMs: 0 },
      store: new MemoryIdempotencyStore(),
    });
  }

  get engine(): Engine {
    if (this.#engine === null) throw new Error('not started');
    return this.#engine;
  }

  async play(step: Move): Promise<void> {
    const { kafka } = this.engine;
    switch (step.kind) {
      case 'append':
        this.#append(
          `e${String(this.appended.length)}`,
          `k${String(step.key)}-${String(step.partition)}`,
          step.partition,
          step.gap,
        );
        break;
      case 'duplicate': {
        const original = this.appended[step.of % Math.max(1, this.appended.length)];
        if (original !== undefined)
          this.#append(original.id, original.key, original.partition, 0, false);
        break;
      }
      case 'fetch':
        kafka.fetch(this.#partition(step.partition), step.max);
        break;
      case 'finish':
        for (const each of this.running.splice(step.which % Math.max(1, this.running.length), 1)) {
          each.finish(step.fails);
        }
        break;
      case 'commits':
        kafka.refuseCommits = step.accepted ? null : new Error('refused');
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
    kafka.refuseCommits = null;
    for (const each of this.running.splice(0)) each.finish(false);
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

  #append(id: string, key: string, number: number, gap: number, remember = true): void {
    const type = key.startsWith('k1') ? Shipped : Created;
    this.#partition(number).append(
      {
        key: Buffer.from(key),
        value: Buffer.from(JSON.stringify({ id })),
        headers: [
          [HEADERS.eventId, Buffer.from(id)],
          [HEADERS.eventType, Buffer.from(type.eventType)],
        ],
      },
      gap,
    );
    if (remember) this.appended.push({ id, key, partition: number });
  }

  /** The broker's committed offset never goes back and never passes a record without its effect. */
  #check(): void {
    const done = new Set(this.effects);
    for (const { topic, partition: number, tracker, epoch } of this.engine.consumer.partitions) {
      const place = `${topic}/${String(number)}/${String(epoch)}`;
      const watermark = tracker.watermark ?? 0n;
      expect(watermark >= (this.#watermarks.get(place) ?? 0n)).toBe(true);
      this.#watermarks.set(place, watermark);
    }
    for (const { commits, committed, log } of this.partitions) {
      for (let i = 1; i < commits.length; i++) {
        expect((commits[i] ?? 0n) >= (commits[i - 1] ?? 0n)).toBe(true);
      }
      for (const { offset, value } of log) {
        if (committed === null || offset >= committed) break;
        const { id } = JSON.parse(value?.toString() ?? '{}') as { id: string };
        expect(done.has(id)).toBe(true);
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

describe('the engine, whatever happens in whatever order', () => {
  it('loses nothing, repeats nothing completed, keeps the order of each key, commits only what is done', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(move, { minLength: 20, maxLength: 200, size: 'max' }),
        async (moves) => {
          const scenario = new Scenario();
          await scenario.start();
          for (const step of moves) await scenario.play(step);
          await scenario.settle();
          const { effects, appended } = scenario;
          expect([...effects].sort()).toEqual(appended.map(({ id }) => id).sort());
          const keyOf = new Map(appended.map(({ id, key }) => [id, key]));
          for (const key of new Set(keyOf.values())) {
            const wanted = appended.filter((each) => each.key === key).map(({ id }) => id);
            expect(effects.filter((id) => keyOf.get(id) === key)).toEqual(wanted);
          }
        },
      ),
      { numRuns: 300 },
    );
  }, 60_000);
});
