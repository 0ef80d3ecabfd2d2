import { defineEvent, defineSyncService, type StandardSchema } from 'nestjs-kafka-events';

/** Where everything is that a run takes part in. */
export interface Surroundings {
  readonly brokers: readonly string[];
  readonly httpPort: number;
  readonly grpcPort: number;
  /** Of a Postgres with the outbox's tables. */
  readonly postgres: string;
  /** What a request or an event waits for where it is handled, as for a database. */
  readonly workMs: number;
}

export const TOPIC = 'bench.orders';

export const GRPC = {
  package: 'bench.stock',
  service: 'Stock',
  protoPath: new URL('stock.proto', import.meta.url).pathname,
} as const;

interface StockApi {
  getStock(request: { readonly sku: string }): { readonly sku: string; readonly available: number };
}

export const Stock = defineSyncService<StockApi>({ name: 'stock' });

interface Order {
  readonly orderId: string;
  readonly sku: string;
}

const unchecked: StandardSchema<Order> = {
  '~standard': { version: 1, vendor: 'bench', validate: (value) => ({ value: value as Order }) },
};

export const OrderPlaced = defineEvent({
  type: 'bench.order-placed',
  version: 1,
  topic: TOPIC,
  key: 'orderId',
  schema: unchecked,
});
