import type { KafkaEventsOptions } from 'nestjs-kafka-events';

import { stockService } from './checkout/stock.client.js';
import { StockView } from './inventory/stock-view.js';
import { OrdersView } from './reporting/orders-view.js';

/** What the shop asks and what it keeps, wherever its Kafka and the stock service are. */
export function shopOptions(stockUrl: string): Pick<KafkaEventsOptions, 'sync' | 'views'> {
  return {
    sync: { services: [stockService(stockUrl)] },
    views: { store: 'memory', views: [StockView, OrdersView] },
  };
}
