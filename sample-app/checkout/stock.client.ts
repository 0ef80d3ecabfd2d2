import {
  defineSyncService,
  MaterialisedViews,
  readFrom,
  syncFirst,
  syncService,
  type SyncRegistration,
} from 'nestjs-kafka-events';
import { grpc } from 'nestjs-kafka-events/grpc';

import { availableOf, StockView } from '../inventory/stock-view.js';
import { STOCK_CONTRACT, type StockApi } from '../stock-service/stock.contract.js';

export const Stock = defineSyncService<StockApi>({ name: 'stock' });

/** Where the stock service is, and how it is treated. */
export function stockService(url: string): SyncRegistration {
  return syncService(Stock, {
    transport: grpc({ ...STOCK_CONTRACT, url, service: 'Stock' }),
    deadlineMs: 1_500,
    breaker: { openMs: 1_000, maxOpenMs: 10_000 },
    methods: { getStock: { idempotent: true } },
  });
}

/** How much there is of a product: the service says it, or this process's own copy while that is not well. */
export const checkStock = syncFirst(Stock, 'getStock', {
  otherwise: [
    readFrom(async ({ sku }, { get }) => {
      const row = await get(MaterialisedViews).of(StockView).get(sku);
      if (row === null) return null;
      const value = { sku, available: availableOf(row.value) };
      return { value, ageMs: row.ageMs ?? Infinity };
    }),
  ],
});
