import type { Observable } from 'rxjs';

import {
  acceptAs,
  cachedReply,
  defaultReply,
  defineSyncService,
  readFrom,
  syncService,
  type SyncFallbackClient,
  type SyncTransport,
} from '../../lib/index.js';
import { OrderCreated } from '../support/shop-events.js';

interface Stock {
  readonly available: number;
}

interface InventoryApi {
  getStock(request: { sku: string }): Promise<Stock>;
  /** As Nest's own clients are typed. */
  reserve(request: { sku: string; orderId: string }): Observable<{ reserved: boolean }>;
  readonly version: string;
}

const Inventory = defineSyncService<InventoryApi>({ name: 'inventory' });
declare const transport: SyncTransport;
declare const sync: SyncFallbackClient;

// Fallbacks know the request and the reply of their method.
syncService(Inventory, {
  transport,
  methods: {
    getStock: {
      idempotent: true,
      fallback: [
        cachedReply({ maxAgeMs: 60_000, key: ({ sku }) => sku }),
        readFrom(({ sku }) => ({ value: { available: sku.length }, ageMs: 1 })),
        readFrom(async ({ sku }) => (sku === '' ? null : { value: { available: 0 }, ageMs: 1 })),
        defaultReply(() => ({ available: 0 })),
      ],
    },
    reserve: { fallback: [acceptAs(OrderCreated, ({ orderId }) => ({ orderId }))] },
  },
});

syncService(Inventory, {
  transport,
  methods: {
    // @ts-expect-error there is no such method
    getStok: {},
  },
});
syncService(Inventory, {
  transport,
  methods: {
    // @ts-expect-error it is no method
    version: {},
  },
});
syncService(Inventory, {
  transport,
  // @ts-expect-error the reply is another
  methods: { getStock: { fallback: [defaultReply(() => ({ reserved: true }))] } },
});
syncService(Inventory, {
  transport,
  methods: {
    reserve: {
      fallback: [
        // @ts-expect-error the event has another payload
        acceptAs(OrderCreated, ({ orderId }) => ({ order: orderId })),
      ],
    },
  },
});

export async function calls(): Promise<void> {
  const inventory = sync.service(Inventory);
  const stock = await inventory.call('getStock', { sku: 'a' });
  if (stock.source !== 'accepted') {
    const available: number = stock.value.available;
    console.log(available);
  }
  if (stock.source === 'cache') {
    const ageMs: number = stock.ageMs;
    console.log(ageMs, stock.cause.status);
  }
  if (stock.source === 'service') {
    const none: null = stock.cause;
    console.log(none);
  }
  const reserved = await inventory.call('reserve', { sku: 'a', orderId: '1' }, { deadlineMs: 50 });
  if (reserved.source === 'accepted') console.log(reserved.keptBy, reserved.eventId);
  else console.log(reserved.value.reserved);

  // @ts-expect-error there is no such method
  await inventory.call('getStok', { sku: 'a' });
  // @ts-expect-error the request lacks a field
  await inventory.call('reserve', { sku: 'a' });
  // @ts-expect-error an accepted command has no value
  console.log(stock.value.available);
}
