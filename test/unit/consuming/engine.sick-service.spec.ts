import { describe, expect, it } from '@jest/globals';

import { DEFAULTS } from '../../../lib/options/defaults.js';
import { asHandlerFailure } from '../../../lib/legacy/as-handler-failure.js';
import { anyEvent, handlerOf, startEngine } from '../../support/engine.js';
import { append, idOf, settle } from '../../support/engine-events.js';
import { ModelPartition } from '../../support/model-kafka.js';
import {
  failing,
  hanging,
  startInventory,
  type InventoryOptions,
  type ScriptedAnswer,
} from '../../support/sync-service.js';

const Created = anyEvent('order.created');
const MINUTE = 60_000;
const PER_KEY = 4;

interface Sickness extends InventoryOptions {
  readonly answer: ScriptedAnswer;
  readonly keys: number;
  readonly concurrency?: number;
}

/** A handler with the defaults of the module, whose records each are one call of a service. */
async function start({ answer, keys, concurrency = 100, ...options }: Sickness) {
  const service = { isWell: false, calls: 0 };
  const handled: string[] = [];
  const { clock, inventory } = await startInventory((attempt, request) => {
    service.calls++;
    return service.isWell ? { reserved: true } : answer(attempt, request);
  }, options);
  const handler = handlerOf(
    'h',
    [Created],
    async (payload) => {
      const sku = idOf(payload);
      await inventory.call('reserve', { sku }).catch((thrown: unknown) => {
        throw asHandlerFailure(thrown);
      });
      handled.push(sku);
    },
    { concurrency, outage: DEFAULTS.outage },
  );
  const partition = new ModelPartition('orders', 0);
  for (let i = 0; i < keys * PER_KEY; i++) {
    append(partition, String(i), { key: String(i % keys) });
  }
  const engine = await startEngine([partition], [handler], { clock });
  const passes = async (ms: number): Promise<void> => {
    for (let spent = 0; spent < ms; spent += 500) {
      await clock.advanceAsync(500);
      await settle(3);
    }
  };
  engine.kafka.fetch(partition);
  await settle();
  return { engine, partition, service, handled, passes };
}

describe('a service that is sick for six minutes', () => {
  const small = { bulkhead: { maxConcurrent: 8, maxQueued: 8 } };
  it.each([
    { name: 'hangs, three keys', keys: 3, answer: hanging },
    { name: 'hangs, nine keys', keys: 9, answer: hanging },
    { name: 'hangs, many keys', keys: 150, answer: hanging },
    { name: 'hangs, few places for many keys', keys: 150, answer: hanging, ...small },
    {
      ...{ name: 'hangs for longer than probes may', keys: 3, answer: hanging, deadlineMs: 20_000 },
    },
    {
      ...{ name: 'hangs for longer, many keys', keys: 150, answer: hanging, deadlineMs: 20_000 },
    },
    { name: 'is away, three keys', keys: 3, answer: failing('UNAVAILABLE') },
    { name: 'is away, many keys', keys: 150, answer: failing('UNAVAILABLE') },
  ])('dead-letters nothing and keeps the order: $name', async ({ name: _, keys, ...sickness }) => {
    const { engine, partition, service, handled, passes } = await start({ keys, ...sickness });
    await passes(6 * MINUTE);
    expect(engine.deadLetters).toEqual([]);
    expect(handled).toEqual([]);
    expect(service.calls).toBeLessThan(160);
    service.isWell = true;

    await passes(3 * MINUTE);

    expect(engine.deadLetters).toEqual([]);
    expect(handled).toHaveLength(keys * PER_KEY);
    for (let key = 0; key < keys; key++) {
      const ofKey = handled.map(Number).filter((id) => id % keys === key);
      expect(ofKey).toEqual(Array.from({ length: PER_KEY }, (_, step) => key + step * keys));
    }
    expect(partition.committed).toBe(BigInt(keys * PER_KEY));
    expect(engine.consumer.outages).toEqual([]);
  });

  it('has what was tried in vain before it tried as often again', async () => {
    const { engine, service, passes } = await start({ answer: hanging, keys: 3 });
    await passes(1 * MINUTE);
    const attempts = engine.signals.flatMap(({ name, signal }) =>
      name === 'attemptFailed' && 'attempt' in signal ? [signal.attempt] : [],
    );
    expect(Math.max(...attempts)).toBeLessThan(DEFAULTS.retry.attempts);
    expect(attempts.at(-1)).toBe(1);
    expect(service.calls).toBeLessThan(20);
  });
});

describe('a service that is well', () => {
  it.each(['INTERNAL', 'DEADLINE_EXCEEDED'] as const)(
    'and fails for one record alone, with %s, has that one dead-lettered',
    async (status) => {
      const isPoison = (request: unknown): boolean => (request as { sku: string }).sku === '7';
      const answer: ScriptedAnswer = (attempt, request) =>
        isPoison(request) ? failing(status)(attempt, request) : { reserved: true };
      const { engine, handled, passes } = await start({ answer, keys: 10 });
      await passes(1 * MINUTE);
      expect(engine.deadLetters).toHaveLength(1);
      expect(handled).toHaveLength(10 * PER_KEY - 1);
    },
  );

  it('and has no room for all at once has all of them in the end', async () => {
    const bulkhead = { maxConcurrent: 2, maxQueued: 1 };
    const { engine, service, handled, passes } = await start({
      ...{ answer: hanging, keys: 150, bulkhead },
    });
    service.isWell = true;
    await passes(10 * MINUTE);
    expect(engine.deadLetters).toEqual([]);
    expect(engine.count('outageBegan')).toBe(0);
    expect(handled).toHaveLength(150 * PER_KEY);
  });
});
