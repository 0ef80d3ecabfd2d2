import { describe, expect, it } from '@jest/globals';

import {
  acceptAs,
  cachedReply,
  defaultReply,
  readFrom,
  type Fallback,
} from '../../../lib/fallback/fallback.js';
import type { LookUp } from '../../../lib/fallback/fallback.js';
import { BreakerOpenError } from '../../../lib/kafka-events.errors.js';
import { settle } from '../../support/engine-events.js';
import { OrderCreated } from '../../support/shop-events.js';
import { rejectionOf } from '../../support/thrown-by.js';
import {
  failing,
  hanging,
  startInventory,
  type InventoryOptions,
  type ScriptedAnswer,
  type Stock,
  type StockRequest,
} from '../../support/sync-service.js';

const NONE: Stock = { available: 0 };

function startWith(
  fallback: readonly Fallback<StockRequest, Stock>[],
  answer: ScriptedAnswer = failing('UNAVAILABLE'),
  options: InventoryOptions = {},
) {
  return startInventory(answer, { ...options, methods: { getStock: { fallback } } });
}

describe('the last good reply', () => {
  it('stands in with its age, and why it does', async () => {
    const { call, transport, clock, signals } = await startWith([cachedReply({ maxAgeMs: 5_000 })]);
    transport.next(() => ({ available: 3 }));
    await call();
    clock.advance(5_000);

    expect(await call()).toMatchObject({
      ...{ source: 'cache', value: { available: 3 }, ageMs: 5_000 },
      cause: { status: 'UNAVAILABLE', origin: 'service' },
    });
    expect(signals.at(-1)).toMatchObject([
      'syncFellBack',
      { source: 'cache', ageMs: 5_000, attempts: 1, error: { status: 'UNAVAILABLE' } },
    ]);

    clock.advance(1);
    expect(await rejectionOf(call)).toMatchObject({ status: 'UNAVAILABLE' });
  });

  it('is that of the same request', async () => {
    const { inventory, transport } = await startWith([cachedReply({ maxAgeMs: 5_000 })]);
    transport.next(() => ({ available: 3 }));
    await inventory.call('getStock', { sku: 'a' });
    expect(await inventory.call('getStock', { sku: 'a' })).toMatchObject({ source: 'cache' });
    await expect(inventory.call('getStock', { sku: 'b' })).rejects.toThrow('UNAVAILABLE');
  });

  it('is that of the same key, where one is given', async () => {
    const { inventory, transport } = await startWith([
      cachedReply({ maxAgeMs: 5_000, key: ({ sku }) => sku.toLowerCase() }),
    ]);
    transport.next(() => ({ available: 3 }));
    await inventory.call('getStock', { sku: 'A' });
    expect(await inventory.call('getStock', { sku: 'a' })).toMatchObject({ source: 'cache' });
  });

  it('is kept for so many keys; the one unused for longest goes', async () => {
    const { inventory, transport } = await startWith([
      cachedReply({ maxAgeMs: 5_000, maxEntries: 2 }),
    ]);
    const ask = (sku: string) => inventory.call('getStock', { sku });
    const good: ScriptedAnswer = () => ({ available: 1 });
    transport.next(good, good);
    await ask('a');
    await ask('b');
    expect(await ask('a')).toMatchObject({ source: 'cache' });
    transport.next(good);
    await ask('c');
    expect(await ask('a')).toMatchObject({ source: 'cache' });
    await expect(ask('b')).rejects.toThrow('UNAVAILABLE');
  });

  it('is not kept where its key fails, which harms no call and is told', async () => {
    const { call, transport, namesOf } = await startWith([
      cachedReply({
        maxAgeMs: 5_000,
        key: () => {
          throw new Error('no key');
        },
      }),
    ]);
    transport.next(() => ({ available: 3 }));
    expect(await call()).toMatchObject({ source: 'service' });
    await expect(call()).rejects.toThrow('UNAVAILABLE');
    expect(namesOf().filter((name) => name === 'syncFallbackFailed')).toHaveLength(2);
  });
});

describe('a value kept elsewhere', () => {
  it('stands in with its age', async () => {
    const { call } = await startWith([
      readFrom(async ({ sku }) => ({ value: { available: sku.length }, ageMs: 70 })),
    ]);
    expect(await call()).toMatchObject({ source: 'view', value: { available: 1 }, ageMs: 70 });
  });

  it('is read with what the application provides', async () => {
    class StockTable {
      readonly rows = new Map([['a', 9]]);
    }
    const table = new StockTable();
    const lookUp = (() => table) as LookUp;
    const { call } = await startWith(
      [
        readFrom(({ sku }, { get }) => {
          const available = get(StockTable).rows.get(sku);
          return available === undefined ? null : { value: { available }, ageMs: 0 };
        }),
      ],
      failing('UNAVAILABLE'),
      { lookUp },
    );
    expect(await call()).toMatchObject({ source: 'view', value: { available: 9 } });
  });

  it('has a fifth of the time kept for it', async () => {
    const { call, clock, transport } = await startWith(
      [
        readFrom(async (_, { deadline, signal }) => {
          expect(deadline - clock.wallTime().getTime()).toBe(200);
          expect(signal.aborted).toBe(false);
          return { value: NONE, ageMs: 1 };
        }),
      ],
      hanging,
      { deadlineMs: 1_000 },
    );
    const called = call();
    await clock.advanceAsync(799);
    expect(transport.attempts[0]?.signal.aborted).toBe(false);
    await clock.advanceAsync(1);
    expect(await called).toMatchObject({ source: 'view', cause: { status: 'DEADLINE_EXCEEDED' } });
  });

  it('does not keep the caller waiting beyond the deadline; a default still answers', async () => {
    const { call, clock, namesOf } = await startWith(
      [readFrom<StockRequest, Stock>(() => new Promise(() => undefined)), defaultReply(() => NONE)],
      failing('UNAVAILABLE'),
      { deadlineMs: 1_000 },
    );
    const called = call();
    await settle(2);
    await clock.advanceAsync(1_000);
    expect(await called).toMatchObject({ source: 'default', value: NONE });
    expect(namesOf()).toEqual(['syncFallbackFailed', 'syncFellBack']);
    expect(clock.pending).toBe(0);
  });

  it('that is not known, or cannot be read, leaves the answer to the next', async () => {
    const { call, signals } = await startWith([
      readFrom<StockRequest, Stock>(() => null),
      readFrom<StockRequest, Stock>(() => {
        throw new Error('the table is gone');
      }),
      defaultReply(({ sku }) => ({ available: sku.length })),
    ]);
    expect(await call()).toMatchObject({ source: 'default', value: { available: 1 }, ageMs: null });
    expect(signals).toMatchObject([
      ['syncFallbackFailed', { method: 'getStock', error: { message: 'the table is gone' } }],
      ['syncFellBack', { source: 'default' }],
    ]);
  });
});

describe('a command accepted as an event', () => {
  const accepted = acceptAs(
    OrderCreated,
    ({ sku }: StockRequest) => ({ orderId: sku }),
    ({ sku }) => ({ eventId: `command-${sku}` }),
  );

  it('is published with the story it belongs to, and the receipt is the answer', async () => {
    const { call, publisher } = await startWith([accepted]);
    const event = {
      ...{ eventId: 'event-1', correlationId: 'order-7' },
      headers: [['traceparent', Buffer.from('00-aaaa-bbbb-01')]] as const,
    };
    const result = await call({ event });
    expect(result).toMatchObject({
      ...{ source: 'accepted', value: null, ageMs: null },
      receipt: { eventId: 'command-a', topic: 'orders', offset: '0' },
      cause: { status: 'UNAVAILABLE' },
    });
    const [published] = await publisher.publishedEvents(OrderCreated);
    expect(published).toMatchObject({
      ...{ correlationId: 'order-7', causationId: 'event-1', payload: { orderId: 'a' } },
      headers: { traceparent: '00-aaaa-bbbb-01' },
    });
  });

  it('is not where the broker refuses it: the caller is given the service’s failure', async () => {
    const { call, publisher, namesOf } = await startWith([accepted]);
    publisher.failNext();
    expect(await rejectionOf(call)).toMatchObject({ code: 'SYNC_CALL', status: 'UNAVAILABLE' });
    expect(namesOf()).toEqual(['syncFallbackFailed', 'syncCallFailed']);
  });
});

describe('a fallback', () => {
  const fallback = [defaultReply<StockRequest, Stock>(() => NONE)];

  it('is not asked where a call says so', async () => {
    const { call, transport } = await startWith(fallback);
    expect(await call()).toMatchObject({ source: 'default' });
    expect(await rejectionOf(() => call({ fallback: false }))).toMatchObject({
      ...{ status: 'UNAVAILABLE', origin: 'service' },
    });
    expect(transport.attempts).toHaveLength(2);
  });

  it.each(['NOT_FOUND', 'INVALID_ARGUMENT', 'FAILED_PRECONDITION', 'PERMISSION_DENIED'] as const)(
    'does not stand in for an answer such as %s',
    async (status) => {
      const { call } = await startWith(fallback, failing(status));
      expect(await rejectionOf(call)).toMatchObject({ status });
    },
  );

  it('does not stand in for what the caller has to mend', async () => {
    const { call } = await startWith(fallback, failing('RESOURCE_EXHAUSTED', 'caller'));
    expect(await rejectionOf(call)).toMatchObject({ origin: 'caller' });
  });

  it('stands in while the breaker is open, and says so', async () => {
    const { call, transport } = await startWith(fallback, failing('INTERNAL'), {
      breaker: { calls: 2, minCalls: 2 },
    });
    for (let n = 0; n < 2; n++) expect(await call()).toMatchObject({ source: 'default' });
    const { source, cause } = await call();
    expect({ source, isOpen: cause instanceof BreakerOpenError }).toEqual({
      ...{ source: 'default', isOpen: true },
    });
    expect(transport.attempts).toHaveLength(2);
  });

  it('stands in when the bulkhead is full', async () => {
    const { call, clock } = await startWith(fallback, hanging, {
      bulkhead: { maxConcurrent: 1, maxQueued: 0 },
    });
    const first = call();
    expect(await call()).toMatchObject({ source: 'default', cause: { code: 'BULKHEAD_FULL' } });
    await clock.advanceAsync(1_000);
    expect(await first).toMatchObject({
      source: 'default',
      cause: { status: 'DEADLINE_EXCEEDED' },
    });
  });

  it('that fails itself leaves the caller with the service’s failure', async () => {
    const { call } = await startWith([
      defaultReply<StockRequest, Stock>(() => {
        throw new Error('a defect');
      }),
    ]);
    expect(await rejectionOf(call)).toMatchObject({ code: 'SYNC_CALL', status: 'UNAVAILABLE' });
  });
});
