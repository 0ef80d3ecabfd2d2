import { event, type EventPublisher } from 'nestjs-kafka-events';

import { StockReceived } from '../inventory/stock-received.event.js';
import { skuOf } from './customers.js';
import { STOCK } from './script.js';

/** Fills the shelves. */
export async function deliverStock(events: EventPublisher): Promise<void> {
  const deliveries = Array.from({ length: STOCK.products }, (_, number) => ({
    sku: skuOf(number),
    quantity: STOCK.delivered,
    soFar: STOCK.delivered,
  }));
  await events.publishAll(deliveries.map((delivery) => event(StockReceived, delivery)));
}
