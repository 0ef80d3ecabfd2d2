import { defineView, projects, type MaterialisedViews } from '../../lib/index.js';
import { OrderCreated, StockReserved } from '../support/shop-events.js';

interface Level {
  readonly reserved: number;
}

const View = defineView<Level>({
  name: 'levels',
  version: 1,
  on: [
    projects(StockReserved, {
      key: ({ sku }) => sku,
      apply: (current) => ({ reserved: (current?.reserved ?? 0) + 1 }),
    }),
    projects(OrderCreated, { key: ({ orderId }) => orderId, apply: () => null }),
  ],
});

defineView<Level>({
  name: 'levels',
  version: 1,
  on: [
    projects(StockReserved, {
      // @ts-expect-error the payload has no such property
      key: ({ orderId }) => String(orderId),
      apply: () => null,
    }),
    projects(StockReserved, {
      key: ({ sku }) => sku,
      // @ts-expect-error a row is a Level
      apply: () => ({ left: 1 }),
    }),
  ],
});

export async function read(views: MaterialisedViews): Promise<number> {
  const row = await views.of(View).get('a');
  // @ts-expect-error it may not be there
  const unsure: number = row.value.reserved;
  return row === null ? unsure : row.value.reserved;
}
