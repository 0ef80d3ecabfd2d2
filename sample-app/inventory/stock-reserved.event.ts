import { defineEvent } from 'nestjs-kafka-events';
import { z } from 'zod';

/** Stock was set aside for an order. */
export const StockReserved = defineEvent({
  type: 'stock.reserved',
  version: 1,
  topic: 'stock',
  key: 'sku',
  schema: z.object({ orderId: z.uuid(), sku: z.string(), quantity: z.int().positive() }),
});
