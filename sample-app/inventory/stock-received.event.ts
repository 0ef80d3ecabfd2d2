import { defineEvent } from 'nestjs-kafka-events';
import { z } from 'zod';

/** Goods have come in. */
export const StockReceived = defineEvent({
  type: 'stock.received',
  version: 1,
  topic: 'stock',
  key: 'sku',
  schema: z.object({ deliveryId: z.string(), sku: z.string(), quantity: z.int().positive() }),
});
