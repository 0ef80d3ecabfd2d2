import { defineView, projects } from 'nestjs-kafka-events';

import { StockReceived } from './stock-received.event.js';
import { StockReserved } from './stock-reserved.event.js';

export interface StockLevel {
  readonly received: number;
  readonly reserved: number;
}

const NOTHING: StockLevel = { received: 0, reserved: 0 };

/**
 * What came in of each product, and what was set aside.
 *
 * Reservations are added up: a copy of one is known by its id, if it comes soon. Deliveries carry their sum, so that
 * they may come again at any time: the ERP's adapter publishes all of them anew when it starts.
 */
export const StockView = defineView<StockLevel>({
  name: 'stock-level',
  version: 1,
  on: [
    projects(StockReceived, {
      key: ({ sku }) => sku,
      apply: (current, { soFar }) => {
        const level = current ?? NOTHING;
        return { ...level, received: Math.max(level.received, soFar) };
      },
    }),
    projects(StockReserved, {
      key: ({ sku }) => sku,
      apply: (current, { quantity }) => {
        const level = current ?? NOTHING;
        return { ...level, reserved: level.reserved + quantity };
      },
    }),
  ],
});

/** Below zero where more was promised than there is. */
export function availableOf({ received, reserved }: StockLevel): number {
  return received - reserved;
}
