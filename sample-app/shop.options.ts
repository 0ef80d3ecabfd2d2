import type { KafkaEventsOptions } from 'nestjs-kafka-events';

import { stockService } from './checkout/stock.client.js';
import { StockView } from './inventory/stock-view.js';
import { erpService } from './legacy/erp.client.js';
import { ErpDeliveries } from './legacy/erp-deliveries.js';
import { OrdersView } from './reporting/orders-view.js';

/** Where others are. */
export interface ShopSurroundings {
  /** `host:port` of the stock service. */
  readonly stockUrl: string;
  /** `http://…` of the warehouse's ERP. */
  readonly erpUrl: string;
}

/** What the shop asks and what it keeps, wherever its Kafka is. */
export function shopOptions({
  stockUrl,
  erpUrl,
}: ShopSurroundings): Pick<KafkaEventsOptions, 'sync' | 'views' | 'legacy'> {
  return {
    sync: { services: [stockService(stockUrl), erpService(erpUrl)] },
    legacy: { feeds: [ErpDeliveries] },
    views: { store: 'memory', views: [StockView, OrdersView] },
  };
}
