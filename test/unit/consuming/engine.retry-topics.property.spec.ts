import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';

import { NonRetryableEventError, RetryLaterError } from '../../../lib/kafka-events.errors.js';
import { anyEvent, handlerOf, startEngine } from '../../support/engine.js';
import { append, idOf, settle } from '../../support/engine-events.js';
import { ManualClock } from '../../support/manual-clock.js';
import { ModelPartition } from '../../support/model-kafka.js';

const Created = anyEvent('order.created');
const MINUTE = 60_000;
const LANE = { attempts: 2, initialDelayMs: 10, factor: 1, maxDelayMs: 10, jitter: 0 };
const DELAYS_MS = [MINUTE, 2 * MINUTE, 3 * MINUTE];

/** What an attempt comes to. */
type Attempt = 'succeeds' | 'fails' | 'asks for later' | 'is hopeless';

const attempts = fc.array(
  fc.oneof(
    { weight: 5, arbitrary: fc.constant<Attempt>('fails') },
    { weight: 2, arbitrary: fc.constant<Attempt>('succeeds') },
    { weight: 1, arbitrary: fc.constant<Attempt>('asks for later') },
    { weight: 1, arbitrary: fc.constant<Attempt>('is hopeless') },
  ),
  { maxLength: 8 },
);
const moves = fc.array(
  fc.record({
    what: fc.constantFrom('time', 'time', 'time', 'rebalance', 'evict', 'refuse', 'accept'),
    keep: fc.nat({ max: 3 }),
  }),
  { maxLength: 25 },
);

function headerOf(
  record: { headers: readonly (readonly [string, Buffer | null])[] },
  name: string,
) {
  return record.headers.findLast(([each]) => each === name)?.[1]?.toString() ?? '';
}

function levelOf(record: { headers: readonly (readonly [string, Buffer | null])[] }): number {
  return Number(headerOf(record, 'retry-level'));
}

describe('records with a retry topic, whatever their attempts come to', () => {
  it('each end once, their levels and attempts rise, and their headers do not grow', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(attempts, { minLength: 1, maxLength: 6 }),
        moves,
        async (plans, script) => {
          const clock = new ManualClock();
          const orders = new ModelPartition('orders', 0);
          const parked = new ModelPartition('orders.group.retry', 0);
          const calls = plans.map(() => 0);
          const succeeded: string[] = [];
          let refusing = false;
          const handler = handlerOf(
            'h',
            [Created],
            (payload) => {
              const which = Number(idOf(payload));
              const call = calls[which] ?? 0;
              calls[which] = call + 1;
              const attempt = plans[which]?.[call] ?? 'fails';
              if (attempt === 'fails') throw new Error('as told');
              if (attempt === 'asks for later') throw new RetryLaterError(5 * MINUTE);
              if (attempt === 'is hopeless') throw new NonRetryableEventError('as told');
              succeeded.push(String(which));
            },
            {
              retry: LANE,
              retryTopic: { delaysMs: DELAYS_MS },
              // Longer than the run: marks that are over are another test's.
              idempotency: { windowMs: 24 * 60 * MINUTE, scope: 'event' },
            },
          );
          plans.forEach((_, which) => {
            append(orders, String(which), { key: String(which % 2) });
          });
          const engine = await startEngine([orders, parked], [handler], {
            clock,
            onDeadLetter: () => {
              if (refusing) throw new Error('refused, as told');
            },
          });
          const both = [orders, parked];
          const turn = async (ms: number): Promise<void> => {
            for (const each of both) engine.kafka.fetch(each);
            await settle(4);
            await clock.advanceAsync(ms);
            await settle(4);
          };
          for (const { what, keep } of script) {
            const kept = both.filter((_, bit) => (keep & (1 << bit)) !== 0);
            if (what === 'rebalance') {
              const rebalancing = engine.kafka.rebalance(kept);
              await clock.advanceAsync(2_000);
              await rebalancing;
            }
            if (what === 'evict') engine.kafka.evict(kept);
            if (what === 'refuse') refusing = true;
            if (what === 'accept') refusing = false;
            await turn(20_000);
          }
          refusing = false;
          engine.kafka.evict(both);
          for (let i = 0; i < 120; i++) await turn(10_000);

          expect([orders.committed, parked.committed ?? 0n]).toEqual([
            orders.endOffset,
            parked.endOffset,
          ]);
          const dead = engine.deadLetters.map(({ record }) => headerOf(record, 'event-id'));
          const ended = [...succeeded, ...dead].sort();
          expect([...new Set(succeeded)]).toEqual(succeeded);
          expect([...new Set(ended)]).toEqual(plans.map((_, which) => String(which)));
          expect(succeeded.filter((which) => dead.includes(which))).toEqual([]);
          for (const which of new Set(parked.log.map((record) => headerOf(record, 'event-id')))) {
            const own = parked.log.filter((record) => headerOf(record, 'event-id') === which);
            // Delivered again before it was committed, it may be parked again: the first time counts.
            const first = own.filter(
              (record, at) => own.findIndex((each) => levelOf(each) === levelOf(record)) === at,
            );
            expect(first.map(levelOf)).toEqual(first.map((_, at) => at + 1));
            expect(first.length).toBeLessThanOrEqual(DELAYS_MS.length);
            const spent = first.map((record) => Number(headerOf(record, 'retry-attempts')));
            expect(spent).toEqual([...spent].sort((a, b) => a - b));
            expect(new Set(own.map(({ headers }) => headers.length)).size).toBe(1);
          }
        },
      ),
      { numRuns: 100 },
    );
  }, 120_000);
});
