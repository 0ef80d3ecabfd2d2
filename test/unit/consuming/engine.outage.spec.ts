import { describe, expect, it } from '@jest/globals';

import type { HandlerSettings } from '../../../lib/consuming/handler-options.js';
import { NonRetryableEventError, RetryLaterError } from '../../../lib/kafka-events.errors.js';
import { anyEvent, handlerOf, startEngine, type HandlerBody } from '../../support/engine.js';
import { append, idOf, settle } from '../../support/engine-events.js';
import { ManualClock } from '../../support/manual-clock.js';
import { ModelPartition } from '../../support/model-kafka.js';

const Created = anyEvent('order.created');
const OUTAGE = { records: 20, failing: 0.5, maxProbeDelayMs: 30_000 };
const RETRY = { attempts: 5, initialDelayMs: 100, factor: 2, maxDelayMs: 30_000, jitter: 0 };

async function shop(body: HandlerBody, records: number, settings: Partial<HandlerSettings> = {}) {
  const clock = new ManualClock();
  const partition = new ModelPartition('orders', 0);
  for (let i = 0; i < records; i++) append(partition, `e${String(i)}`);
  const handler = handlerOf('h', [Created], body, {
    outage: OUTAGE,
    retry: RETRY,
    timeoutMs: 1_000_000,
    ...settings,
  });
  const engine = await startEngine([partition], [handler], { clock });
  const passes = async (ms: number): Promise<void> => {
    for (let spent = 0; spent < ms; spent += 500) {
      await clock.advanceAsync(500);
      await settle(5);
    }
  };
  engine.kafka.fetch(partition);
  await settle();
  return { engine, partition, clock, passes };
}

describe('an outage of what a handler depends on', () => {
  it('spends no attempts and dead-letters nothing, and all goes on when it is over', async () => {
    let away = true;
    const attempts: number[] = [];
    const handled: string[] = [];
    const { engine, partition, passes } = await shop((payload, { attempt }) => {
      attempts.push(attempt);
      if (away) throw new Error('the database is away');
      handled.push(idOf(payload));
    }, 100);

    await passes(5 * 60_000);

    expect(engine.count('outageBegan')).toBe(1);
    expect(engine.deadLetters).toEqual([]);
    expect(handled).toEqual([]);
    expect(Math.max(...attempts)).toBeLessThan(RETRY.attempts);
    expect(engine.consumer.outages).toMatchObject([{ handlerId: 'h' }]);
    // Probes, not retries: at first every second or two, then every half minute.
    expect(attempts.length).toBeLessThan(60);
    away = false;

    await passes(31_000);

    expect(handled).toHaveLength(100);
    expect(engine.count('outageEnded')).toBe(1);
    expect(engine.consumer.outages).toEqual([]);
    expect(partition.committed).toBe(100n);
  });

  it('keeps the order of each key', async () => {
    let away = true;
    const handled: string[] = [];
    const clock = new ManualClock();
    const partition = new ModelPartition('orders', 0);
    for (let i = 0; i < 60; i++)
      append(partition, `${String(i % 20)}-${String(i)}`, { key: String(i % 20) });
    const body: HandlerBody = (payload) => {
      if (away) throw new Error('the database is away');
      handled.push(idOf(payload));
    };
    const handler = handlerOf('h', [Created], body, { outage: OUTAGE, retry: RETRY });
    const engine = await startEngine([partition], [handler], { clock });
    engine.kafka.fetch(partition);
    for (let i = 0; i < 20; i++) {
      await clock.advanceAsync(1_000);
      await settle(5);
    }
    away = false;
    for (let i = 0; i < 40; i++) {
      await clock.advanceAsync(1_000);
      await settle(5);
    }

    expect(handled).toHaveLength(60);
    for (let key = 0; key < 20; key++) {
      const ofKey = handled.filter((id) => id.startsWith(`${String(key)}-`));
      expect(ofKey).toEqual([key, key + 20, key + 40].map((i) => `${String(key)}-${String(i)}`));
    }
  });

  it('is over although a poison record was the first to probe', async () => {
    let away = true;
    const handled: string[] = [];
    const { engine, passes } = await shop((payload) => {
      const id = idOf(payload);
      if (away || id === 'e0') throw new Error('fails');
      handled.push(id);
    }, 30);
    await passes(3_000);
    expect(engine.consumer.outages).toHaveLength(1);
    away = false;

    await passes(120_000);

    expect(handled).toHaveLength(29);
    expect(engine.deadLetters).toHaveLength(1);
    expect(engine.consumer.outages).toEqual([]);
  });

  it('is held again where it comes back, and costs no attempts however often it does', async () => {
    let calls = 0;
    let successes = 0;
    const { engine, passes } = await shop(() => {
      if (++calls % 20 !== 0) throw new Error('the database comes and goes');
      successes++;
    }, 200);

    await passes(600_000);

    expect(successes).toBeGreaterThan(RETRY.attempts);
    expect(engine.count('outageBegan')).toBeGreaterThan(RETRY.attempts);
    expect(engine.deadLetters).toHaveLength(0);
  });

  it('is not what a few records make of it that fail for ever while nothing else comes', async () => {
    const { engine, partition, passes } = await shop((payload) => {
      if (Number(idOf(payload).slice(1)) % 5 === 0) throw new Error('fails');
    }, 45);

    await passes(60_000);

    expect(engine.count('outageBegan')).toBe(0);
    expect(engine.deadLetters).toHaveLength(9);
    expect(partition.committed).toBe(45n);
  });

  it('is not what non-retryable errors, and handlers that choose their delay, make of it', async () => {
    const { engine, passes } = await shop((payload) => {
      if (Number(idOf(payload).slice(1)) % 2 === 0) throw new NonRetryableEventError('poison');
      throw new RetryLaterError(1_000, 'not yet');
    }, 60);

    await passes(10_000);

    expect(engine.count('outageBegan')).toBe(0);
    expect(engine.deadLetters).toHaveLength(60);
  });

  it('is nothing that a handler without a breaker knows', async () => {
    const { engine, passes } = await shop(
      () => {
        throw new Error('the database is away');
      },
      40,
      { outage: null },
    );

    await passes(10_000);

    expect(engine.deadLetters).toHaveLength(40);
  });

  it('holds no rebalance up, and keeps no ticket of a partition that is lost', async () => {
    let away = true;
    const handled: string[] = [];
    const { engine, partition, passes } = await shop((payload) => {
      if (away) throw new Error('the database is away');
      handled.push(idOf(payload));
    }, 40);
    await passes(3_000);
    expect(engine.consumer.outages).toHaveLength(1);

    await engine.kafka.rebalance([]);
    expect(engine.consumer.partitions).toEqual([]);
    expect(engine.count('drainTimedOut')).toBe(0);

    away = false;
    await engine.kafka.rebalance([partition]);
    engine.kafka.fetch(partition);
    await passes(40_000);
    expect(handled).toHaveLength(40);
  });
});
