import { describe, expect, it } from '@jest/globals';
import type { HandlerSettings } from '../../../lib/consuming/handler-options.js';
import { StallWatch } from '../../../lib/consuming/stall-watch.js';
import type { IdempotencyStore } from '../../../lib/idempotency/idempotency-store.js';
import { MemoryIdempotencyStore } from '../../../lib/idempotency/memory-idempotency-store.js';
import { NonRetryableEventError } from '../../../lib/kafka-events.errors.js';
import { RecordTroubles } from '../../../lib/observability/record-troubles.js';
import { SignalHub } from '../../../lib/observability/signal-hub.js';
import { signalLog } from '../../../lib/observability/signal-log.js';
import type { StallReason } from '../../../lib/observability/stall-reason.js';
import {
  anyEvent,
  handlerOf,
  startEngine,
  type EngineOptions,
  type HandlerBody,
} from '../../support/engine.js';
import { onCleanup } from '../../support/cleanup.js';
import { append, settle } from '../../support/engine-events.js';
import { ManualClock } from '../../support/manual-clock.js';
import { ModelPartition } from '../../support/model-kafka.js';

const Created = anyEvent('order.created');
const endless: HandlerBody = (_, { signal }) =>
  new Promise((resolve) => {
    signal.addEventListener('abort', resolve);
  });
const fails: HandlerBody = () => {
  throw new Error('not now');
};
const SLOW_RETRY = { attempts: 5, initialDelayMs: 1e9, factor: 1, maxDelayMs: 1e9, jitter: 0 };

interface Scene extends Omit<EngineOptions, 'observers' | 'clock' | 'store'> {
  readonly body: HandlerBody;
  readonly handler?: Partial<HandlerSettings>;
  readonly store?: (clock: ManualClock) => IdempotencyStore;
  readonly records?: number;
}

/** One partition whose records all have one key, and the watch over it. */
async function scene({ body, handler, records = 2, store, ...options }: Scene) {
  const clock = new ManualClock();
  const partition = new ModelPartition('orders', 0);
  for (let i = 0; i < records; i++) append(partition, `e${String(i)}`, { key: 'k' });
  const troubles = new RecordTroubles(() => clock.now());
  const settings = { timeoutMs: 1e9, ...handler };
  const engine = await startEngine([partition], [handlerOf('h', [Created], body, settings)], {
    ...options,
    ...(store && { store: store(clock) }),
    clock,
    observers: [troubles],
  });
  const lines: string[] = [];
  const line = (text: string) => void lines.push(text);
  const log = { error: line, warn: line, log: line, debug: line };
  const signals = new SignalHub([
    signalLog(
      log,
      (text) => text,
      () => clock.now(),
    ),
  ]);
  const watch = new StallWatch(() => [engine.consumer], troubles, signals, clock);
  watch.start();
  onCleanup(async () => {
    watch.stop();
    for (const { context } of engine.consumer.running)
      context.call.abort(new Error('the test is over'));
    await clock.advanceAsync(1_000_000);
    await settle();
  });
  const passes = async (ms: number): Promise<void> => {
    for (let spent = 0; spent < ms; spent += 5_000) {
      await clock.advanceAsync(5_000);
      await settle(5);
    }
  };
  engine.kafka.fetch(partition);
  await settle();
  return { clock, partition, engine, watch, passes, lines, counts: () => signals.counts };
}

describe('a partition that stands still', () => {
  it('is told once, with record, key and handler, and when it goes on', async () => {
    let finish = (): void => undefined;
    const body = () => new Promise<void>((resolve) => (finish = resolve));
    const { watch, passes, lines, counts } = await scene({ body, records: 1 });
    await passes(55_000);
    expect(watch.stalled).toEqual([]);
    await passes(60_000);
    expect(watch.stalled).toMatchObject([
      { groupId: 'group', topic: 'orders', partition: 0, offset: '0', lane: 'k', handlers: ['h'] },
    ]);
    expect(lines).toEqual(['group orders[0]@0 (key "k") has not moved for 60000 ms, in h']);
    finish();
    await passes(5_000);
    expect(watch.stalled).toEqual([]);
    expect(lines.at(-1)).toBe('group orders[0]@0 goes on, it stood still for 115000 ms');
    expect(counts()).toMatchObject({ stalled: 1, stallEnded: 1 });
  });

  it('does not, however long its records wait in line, when they end one after another', async () => {
    const { clock, engine, watch, passes, counts } = await scene({
      body: () => new Promise<void>((resolve) => clock.setTimeout(resolve, 30_000)),
      records: 10,
    });
    await passes(200_000);
    expect(engine.count('handled')).toBe(6);
    expect(counts().stalled).toBeUndefined();
    expect(watch.stalled).toEqual([]);
  });

  it('because an operator holds it is not told', async () => {
    const { engine, passes, counts } = await scene({
      body: endless,
      handler: { concurrency: 1 },
    });
    engine.consumer.holdTopics(() => true);
    await passes(120_000);
    expect(counts().stalled).toBeUndefined();
  });

  it.each<[StallReason, Scene]>([
    ['handler', { body: endless, records: 1 }],
    ['retry', { body: fails, handler: { retry: SLOW_RETRY } }],
    [
      'outage',
      {
        body: fails,
        handler: {
          outage: { records: 1, failing: 0.5, maxProbeDelayMs: 1e9 },
          retry: SLOW_RETRY,
        },
      },
    ],
    ['lease', { body: endless, store: claimedByAnother }],
    ['store', { body: endless, store: storeAway }],
    [
      'dead-letter',
      {
        body: () => {
          throw new NonRetryableEventError('poison');
        },
        onDeadLetter: () => Promise.reject(new Error('the topic is away')),
      },
    ],
  ])('says that it waits for: %s', async (waitsFor, of) => {
    const { watch, passes } = await scene(of);
    await passes(65_000);
    expect(watch.stalled).toMatchObject([{ offset: '0', waitsFor }]);
  });

  it('says that its handler is paused', async () => {
    const paused = await scene({ body: () => undefined, records: 0 });
    const { engine, partition, watch, passes } = paused;
    for (const handler of engine.consumer.handlers) handler.hold(true);
    append(partition, 'e0', { key: 'k' });
    engine.kafka.fetch(partition);
    await passes(70_000);
    expect(watch.stalled).toMatchObject([{ offset: '0', waitsFor: 'paused', handlers: [] }]);
  });
});

function storeOf(clock: ManualClock, claim: IdempotencyStore['claim']): IdempotencyStore {
  const memory = new MemoryIdempotencyStore({ clock });
  return {
    name: 'scripted',
    inProcess: false,
    claim,
    complete: (completions) => memory.complete(completions),
    release: (releases) => {
      memory.release(releases);
    },
    renew: (renewals) => memory.renew(renewals),
  };
}

function claimedByAnother(clock: ManualClock): IdempotencyStore {
  return storeOf(clock, (requests) =>
    requests.map(() => ({ status: 'in-progress' as const, leaseMs: 10_000 })),
  );
}

function storeAway(clock: ManualClock): IdempotencyStore {
  return storeOf(clock, () => Promise.reject(new Error('the store is away')));
}
