import type { Delivery } from '../erp/erp-server.js';
import { skuOf } from './customers.js';
import { STOCK } from './script.js';

/** Fills the shelves, by the ERP's word. */
export function deliveries(): readonly Delivery[] {
  return Array.from({ length: STOCK.products }, (_, number) => ({
    DELNO: number + 1,
    ARTNO: skuOf(number),
    QTY: STOCK.delivered,
    TOTAL: STOCK.delivered,
  }));
}
