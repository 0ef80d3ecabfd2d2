import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { DriverErrorKind } from '../../../lib/kafka-events.errors.js';
import type { RecordPosition } from '../../../lib/kafka/driver.js';
import type { OutRecord } from '../../../lib/kafka/records.js';
import { TopicProducer } from '../../../lib/publishing/topic-producer.js';
import { ManualClock } from '../../support/manual-clock.js';
import { keyOf, ModelTopics } from '../../support/model-producer.js';

const PARTITIONS = 3;
const SEND_TIMEOUT_MS = 2_000;

type Move =
  | { readonly kind: 'publish'; readonly partition: number; readonly deadlineMs: number }
  | { readonly kind: 'acknowledge' }
  /** The oldest send fails, although some partitions have stored their part of it. */
  | { readonly kind: 'fail'; readonly as: DriverErrorKind; readonly stored: readonly boolean[] }
  /** A request given up long ago reaches the broker after all, and may even be answered. */
  | { readonly kind: 'arrive late'; readonly stored: readonly boolean[]; readonly fails: boolean }
  | { readonly kind: 'wait'; readonly ms: number }
  | { readonly kind: 'turn' };

const stored = fc.array(fc.boolean(), { minLength: PARTITIONS, maxLength: PARTITIONS });
const move: fc.Arbitrary<Move> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('publish' as const),
      partition: fc.nat(PARTITIONS - 1),
      deadlineMs: fc.constantFrom(0, 50, 1_000, 5_000, 30_000),
    }),
  },
  { weight: 2, arbitrary: fc.constant({ kind: 'acknowledge' as const }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('fail' as const),
      as: fc.constantFrom<DriverErrorKind>(
        ...(['retryable', 'retryable', 'retryable', 'fenced', 'closed'] as const),
        ...(['too-large', 'invalid-record', 'fatal', 'auth', 'unknown-topic'] as const),
      ),
      stored,
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('arrive late' as const),
      stored,
      fails: fc.boolean(),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('wait' as const),
      ms: fc.constantFrom(1, 100, 500, 2_500),
    }),
  },
  { weight: 3, arbitrary: fc.constant({ kind: 'turn' as const }) },
);

interface Published {
  readonly record: OutRecord;
  readonly deadlineAt: number;
  outcome: 'open' | 'rejected' | RecordPosition;
}

/** A topic producer between callers and a broker that are moved by hand. */
class Scenario {
  readonly clock = new ManualClock();
  readonly topics = new ModelTopics(partitionOf);
  readonly published: Published[] = [];
  readonly producer = new TopicProducer({
    topic: 'topic',
    createProducer: this.topics.producer,
    clock: this.clock,
    random: () => 0.5,
    maxBatchRecords: 4,
    sendTimeoutMs: SEND_TIMEOUT_MS,
    onRecycled: () => undefined,
  });

  async make(next: Move): Promise<void> {
    switch (next.kind) {
      case 'publish':
        this.publish(next.partition, next.deadlineMs);
        return;
      case 'acknowledge':
        this.current()?.acknowledge();
        break;
      case 'fail':
        this.current()?.fail(next.as, picked(next.stored));
        break;
      case 'arrive late':
        if (next.fails) this.givenUp()?.fail('auth', picked(next.stored));
        else if (next.stored.every(Boolean)) this.givenUp()?.acknowledge();
        else this.givenUp()?.store(picked(next.stored));
        break;
      case 'wait':
        await this.clock.advanceAsync(next.ms);
        break;
      case 'turn':
    }
    await turn();
    await turn();
    this.expectNobodyWaitsTooLong();
  }

  publish(partition: number, deadlineMs: number): void {
    const key = Buffer.from(`${partition}-${this.published.length}`);
    const record = { key, value: null, headers: [], timestamp: 0 };
    const deadlineAt = this.clock.now() + deadlineMs;
    const published: Published = { record, deadlineAt, outcome: 'open' };
    this.published.push(published);
    this.producer.send(record, deadlineAt).then(
      (position) => (published.outcome = position),
      () => (published.outcome = 'rejected'),
    );
  }

  /** The broker is well again and time passes. */
  async settle(): Promise<void> {
    this.topics.onSend = (send) => {
      send.acknowledge();
    };
    this.current()?.acknowledge();
    for (let i = 0; i < 40; i++) await this.clock.advanceAsync(1_000);
  }

  /** The send that the producer waits for. */
  private current() {
    return this.topics.unanswered.find(({ producer }) => !producer.closed);
  }

  private givenUp() {
    return this.topics.unanswered.find(({ producer }) => producer.closed);
  }

  private expectNobodyWaitsTooLong(): void {
    const now = this.clock.now();
    const late = this.published.filter((p) => p.outcome === 'open' && p.deadlineAt < now);
    expect(late).toEqual([]);
  }
}

function partitionOf(record: OutRecord): number {
  return Number(keyOf({ record }).split('-')[0]);
}

function picked(partitions: readonly boolean[]) {
  return (record: OutRecord) => partitions[partitionOf(record)] ?? false;
}

describe('TopicProducer, under any interleaving of answers, failures and deadlines', () => {
  it('loses nothing it acknowledged, keeps the order, settles every call in time', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(move, { maxLength: 60 }), async (moves) => {
        const scenario = new Scenario();
        for (const next of moves) await scenario.make(next);
        await scenario.settle();
        const { topics, published, clock } = scenario;

        expect(topics.violations).toEqual([]);
        expect(clock.pending).toBe(0);
        for (const { outcome, record } of published) {
          expect(outcome).not.toBe('open');
          if (typeof outcome === 'string') continue;
          expect(topics.log).toContainEqual({ topic: 'topic', ...outcome, record });
        }
        const kept = new Set(published.filter((p) => typeof p.outcome === 'object').map(keyOf));
        for (let partition = 0; partition < PARTITIONS; partition++) {
          const inOrder = published.map(keyOf).filter((key) => key.startsWith(`${partition}-`));
          const written = topics.log.filter((entry) => entry.partition === partition).map(keyOf);
          const firsts = [...new Set(written)].filter((key) => kept.has(key));
          expect(firsts).toEqual(inOrder.filter((key) => kept.has(key)));
        }
      }),
      { numRuns: 300 },
    );
  });
});
