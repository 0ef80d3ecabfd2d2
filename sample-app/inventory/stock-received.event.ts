import { defineEvent } from 'nestjs-kafka-events';
import { z } from 'zod';

/** Goods have come in. It says how many there have been in all, so that to hear of it twice does no harm. */
export const StockReceived = defineEvent({
  type: 'stock.received',
  version: 1,
  topic: 'stock',
  key: 'sku',
  schema: z.object({ sku: z.string(), quantity: z.int().positive(), soFar: z.int().positive() }),
});
