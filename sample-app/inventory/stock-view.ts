import { defineView, projects } from 'nestjs-kafka-events';

import { StockReceived } from './stock-received.event.js';
import { StockReserved } from './stock-reserved.event.js';

export interface StockLevel {
  readonly available: number;
}

/**
 * What there is of each product, made of what came in and what was set aside.
 *
 * It adds up: an event that lies twice in its topic counts twice. The claims of the handler that announces
 * reservations see to it that there is one of each.
 */
export const StockView = defineView<StockLevel>({
  name: 'stock-level',
  version: 1,
  on: [
    projects(StockReceived, {
      key: ({ sku }) => sku,
      apply: (current, { quantity }) => ({ available: (current?.available ?? 0) + quantity }),
    }),
    projects(StockReserved, {
      key: ({ sku }) => sku,
      apply: (current, { quantity }) => ({ available: (current?.available ?? 0) - quantity }),
    }),
  ],
});
