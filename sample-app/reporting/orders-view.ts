import { defineView, projects } from 'nestjs-kafka-events';

import { StockReserved } from '../inventory/stock-reserved.event.js';
import { OrderCreated } from '../orders/order-created.event.js';

export interface OrderRow {
  readonly sku: string;
  readonly quantity: number;
  /** ISO 8601; null until the order itself was read: its topic is another than that of reservations. */
  readonly placedAt: string | null;
  readonly totalCents: number;
  readonly subjectToStock: boolean;
  readonly reserved: boolean;
}

/**
 * Each order with its state. Its projections set what they know and add nothing up, so that neither an event that
 * lies twice in its topic nor the order of the two topics makes a difference.
 */
export const OrdersView = defineView<OrderRow>({
  name: 'orders',
  version: 1,
  on: [
    projects(OrderCreated, {
      key: ({ orderId }) => orderId,
      apply: (current, { sku, quantity, totalCents, checkedWith }, { timestamp }) => ({
        ...{ sku, quantity, totalCents },
        placedAt: timestamp.toISOString(),
        subjectToStock: checkedWith === 'nobody',
        reserved: current?.reserved ?? false,
      }),
    }),
    projects(StockReserved, {
      key: ({ orderId }) => orderId,
      apply: (current, { sku, quantity }) => ({
        ...{ placedAt: null, totalCents: 0, subjectToStock: false },
        ...current,
        ...{ sku, quantity },
        reserved: true,
      }),
    }),
  ],
});
