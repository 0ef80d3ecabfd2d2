import { legacyCall } from 'nestjs-kafka-events';

import { OrderCreated } from '../orders/order-created.event.js';
import { Erp } from './erp.client.js';

/** Books each order in the ERP. The event's id is its idempotency key: an answer that was lost books nothing twice. */
export const ErpBookings = legacyCall({
  id: 'erp.book-order',
  event: OrderCreated,
  service: Erp,
  method: 'book',
  request: ({ orderId, sku, quantity }) => ({ ORDNO: orderId, ARTNO: sku, QTY: quantity }),
  handler: { retry: { initialDelayMs: 50 } },
});
