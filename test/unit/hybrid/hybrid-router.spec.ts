import { describe, expect, it } from '@jest/globals';
import { z } from 'zod';

import { defineEvent } from '../../../lib/contracts/define-event.js';
import { acceptAs, cachedReply, defaultReply, readFrom } from '../../../lib/fallback/fallback.js';
import { DurablePublisher } from '../../../lib/hybrid/durable-publisher.js';
import {
  asyncFirst,
  cqrs,
  fromView,
  syncFirst,
  type Otherwise,
} from '../../../lib/hybrid/hybrid-operation.js';
import { HybridRouter } from '../../../lib/hybrid/hybrid-router.js';
import { UnknownTopicError } from '../../../lib/kafka-events.errors.js';
import type { SignalName } from '../../../lib/observability/observer.js';
import { NO_OUTBOX } from '../../support/accept-command.js';
import { settle } from '../../support/engine-events.js';
import {
  failing,
  hanging,
  Inventory,
  startInventory,
  type InventoryOptions,
  type ScriptedAnswer,
  type Stock,
  type StockRequest,
} from '../../support/sync-service.js';
import { rejectionOf } from '../../support/thrown-by.js';

const Counted = defineEvent({
  type: 'stock.counted',
  version: 1,
  topic: 'stock',
  key: ({ sku }) => sku,
  schema: z.object({ sku: z.string() }),
});

const VIEW = readFrom<StockRequest, Stock>(() => ({ value: { available: 7 }, ageMs: 40 }));
const NOTHING_KNOWN = readFrom<StockRequest, Stock>(() => null);

const checkStock = (...otherwise: Otherwise<StockRequest, Stock>[]) =>
  syncFirst(Inventory, 'getStock', { otherwise });

async function openRouter(answer?: ScriptedAnswer, options?: InventoryOptions) {
  const inventory = await startInventory(answer, options);
  const signals: [SignalName, object][] = [];
  const refused = new UnknownTopicError({ eventId: 'e', eventType: 't', topic: 'stock' });
  const router = new HybridRouter({
    sync: inventory.client,
    durable: new DurablePublisher({
      clock: inventory.clock,
      targets: new Map(),
      publisher: {
        prepare: () => {
          throw refused;
        },
        deliver: () => Promise.reject(refused),
      },
      outbox: NO_OUTBOX,
    }),
    signals: { emit: (name, signal) => void signals.push([name, signal]) },
    clock: inventory.clock,
  }).open(() => {
    throw new Error('there are no providers here');
  });
  return { ...inventory, router, signals, refused };
}

describe('sync first', () => {
  it('is the service, where that answers', async () => {
    const { router, signals } = await openRouter();
    const result = await router.run(checkStock(VIEW), { sku: 'a' });
    expect(result).toEqual({
      path: 'service',
      value: { available: 1 },
      ageMs: null,
      receipt: null,
      cause: null,
    });
    const routed = { operation: 'inventory.getStock', path: 'service', cause: null, durationMs: 0 };
    expect(signals).toEqual([['routed', routed]]);
  });

  it('is the view, with its age, where the service fails, is late, or is not called at all', async () => {
    const breaker = { calls: 4, minCalls: 2, failing: 0.5, openMs: 1_000, probes: 1 };
    const { router, transport, clock, stateOf, signals } = await openRouter(
      failing('UNAVAILABLE'),
      {
        breaker,
        deadlineMs: 100,
      },
    );
    const run = () => router.run(checkStock(NOTHING_KNOWN, VIEW), { sku: 'a' });
    expect(await run()).toMatchObject({ path: 'view', value: { available: 7 }, ageMs: 40 });

    transport.next(hanging);
    const late = run();
    await settle();
    await clock.advanceAsync(80);
    expect(await late).toMatchObject({ path: 'view', cause: { status: 'DEADLINE_EXCEEDED' } });

    expect(stateOf()).toBe('open');
    const { length } = transport.attempts;
    expect(await run()).toMatchObject({ path: 'view', cause: { code: 'BREAKER_OPEN' } });
    expect(transport.attempts).toHaveLength(length);
    expect(signals.map(([name]) => name)).toEqual(['routed', 'routed', 'routed']);
  });

  it('comes after what the service itself declares for the method', async () => {
    const { router, transport } = await openRouter(undefined, {
      methods: { getStock: { fallback: [cachedReply({ maxAgeMs: 1_000 })] } },
    });
    await router.run(checkStock(VIEW), { sku: 'a' });
    transport.next(failing('UNAVAILABLE'), failing('UNAVAILABLE'));
    expect((await router.run(checkStock(VIEW), { sku: 'a' })).path).toBe('cache');
    expect((await router.run(checkStock(VIEW), { sku: 'b' })).path).toBe('view');
  });

  it('may end in a default, or as an event', async () => {
    const { router, publisher } = await openRouter(failing('UNAVAILABLE'));
    const fixed = checkStock(defaultReply(() => ({ available: 0 })));
    expect(await router.run(fixed, { sku: 'a' })).toMatchObject({
      path: 'default',
      value: { available: 0 },
    });
    const later = checkStock(acceptAs(Counted, ({ sku }: StockRequest) => ({ sku })));
    expect(await router.run(later, { sku: 'a' })).toMatchObject({ path: 'accepted', value: null });
    expect(await publisher.publishedEvents(Counted)).toMatchObject([{ payload: { sku: 'a' } }]);
  });

  it('is the refusal of the service where it refuses', async () => {
    const { router, signals } = await openRouter(failing('NOT_FOUND'));
    const error = await rejectionOf(() => router.run(checkStock(VIEW), { sku: 'a' }));
    expect(error).toMatchObject({ code: 'SYNC_CALL', status: 'NOT_FOUND' });
    expect(signals).toMatchObject([['routingFailed', { operation: 'inventory.getStock', error }]]);
  });
});

describe('reads and writes that go apart', () => {
  const stock = cqrs({
    read: fromView('stock', ({ sku }: StockRequest) =>
      sku === 'a' ? { value: { available: 3 }, ageMs: 12 } : null,
    ),
    write: asyncFirst({ event: Counted }),
  });

  it('read the view, and nobody else', async () => {
    const { router, transport, signals } = await openRouter();
    expect(await router.run(stock.read, { sku: 'a' })).toEqual({
      path: 'view',
      value: { available: 3 },
      ageMs: 12,
    });
    expect(await router.run(stock.read, { sku: 'b' })).toEqual({
      path: 'view',
      value: null,
      ageMs: null,
    });
    expect(transport.attempts).toEqual([]);
    expect(signals[0]).toMatchObject(['routed', { operation: 'stock', path: 'view' }]);
  });

  it('tell the view until what time of day its answer is waited for', async () => {
    const { router, clock } = await openRouter();
    const deadlines: number[] = [];
    const read = fromView('stock', (_: StockRequest, { deadline }) => {
      deadlines.push(deadline);
      return null;
    });
    await router.run(read, { sku: 'a' }, { deadlineMs: 300 });
    expect(deadlines).toEqual([clock.wallTime().getTime() + 300]);
  });

  it('write the event, and tell what is wrong with it', async () => {
    const { router, signals, refused } = await openRouter();
    expect(await rejectionOf(() => router.run(stock.write, { sku: 'a' }))).toBe(refused);
    expect(signals).toMatchObject([['routingFailed', { operation: 'stock.counted.v1' }]]);
  });
});
