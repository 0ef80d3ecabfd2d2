import {
  acceptAs,
  defaultReply,
  defineSyncService,
  readFrom,
  syncFirst,
  type HybridRouter,
} from '../../lib/index.js';
import { OrderCreated } from '../support/shop-events.js';

interface InventoryApi {
  getStock(request: { sku: string }): Promise<{ readonly available: number }>;
  readonly version: string;
}

const Inventory = defineSyncService<InventoryApi>({ name: 'inventory' });
declare const router: HybridRouter;

// What stands in knows the request and the reply of the method, wherever it is declared.
const checkStock = syncFirst(Inventory, 'getStock', {
  otherwise: [
    readFrom(({ sku }) => (sku === '' ? null : { value: { available: sku.length }, ageMs: 1 })),
    readFrom(async ({ sku }) => ({ value: { available: sku.length }, ageMs: 1 })),
    acceptAs(OrderCreated, ({ sku }) => ({ orderId: sku })),
    defaultReply(() => ({ available: 0 })),
  ],
});

// @ts-expect-error it is no method
syncFirst(Inventory, 'version', { otherwise: [] });

syncFirst(Inventory, 'getStock', {
  otherwise: [
    // @ts-expect-error the reply is another
    defaultReply(() => ({ available: 'none' })),
  ],
});

export async function theRequestIsTyped(): Promise<number | undefined> {
  const { value } = await router.run(checkStock, { sku: 'a' });
  // @ts-expect-error a sku is text
  await router.run(checkStock, { sku: 1 });
  return value?.available;
}
