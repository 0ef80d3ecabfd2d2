/** One way of asking or telling, done by as many callers as can; prints what came of it as JSON. */
import 'reflect-metadata';

import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  asyncFirst,
  EventPublisher,
  HybridRouter,
  KafkaEventsModule,
  readFrom,
  syncFirst,
  SyncFallbackClient,
  syncService,
} from 'nestjs-kafka-events';
import { grpc } from 'nestjs-kafka-events/grpc';
import { PostgresOutbox } from 'nestjs-kafka-events/postgres';

import { closedLoop, type LoopOptions } from './closed-loop.js';
import { GRPC, OrderPlaced, Stock, type Surroundings } from './surroundings.js';

/** Named by who answers, or has the event, in the end. */
export type Way = 'rest' | 'grpc' | 'service' | 'view' | 'publish' | 'published' | 'outbox';

export interface ShopTask extends Surroundings, LoopOptions {
  readonly way: Way;
}

const task = JSON.parse(process.argv[2] ?? '{}') as ShopTask;
const { brokers, httpPort, grpcPort, postgres, way } = task;

/** As a materialised view in this process has it. */
const view = new Map(Array.from({ length: 1_000 }, (_, n) => [skuOf(n), { available: 7 }]));

const checkStock = syncFirst(Stock, 'getStock', {
  otherwise: [
    readFrom(({ sku }) => {
      const known = view.get(sku);
      return known === undefined ? null : { value: { sku, ...known }, ageMs: 0 };
    }),
  ],
});
const placeOrder = asyncFirst({ event: OrderPlaced });

@Module({
  imports: [
    KafkaEventsModule.forRoot({
      clientId: 'bench-shop',
      brokers,
      consume: false,
      outbox: { store: new PostgresOutbox({ connectionString: postgres }) },
      sync: {
        services: [
          syncService(Stock, {
            transport: grpc({ ...GRPC, url: `127.0.0.1:${String(grpcPort)}` }),
            bulkhead: { maxConcurrent: 256, maxQueued: 256 },
            methods: { getStock: { idempotent: true } },
          }),
        ],
      },
    }),
  ],
})
class App {}

const app = await NestFactory.createApplicationContext(App, { logger: ['error'] });
const stock = app.get(SyncFallbackClient, { strict: false }).service(Stock);
const events = app.get(EventPublisher, { strict: false });
const router = app.get(HybridRouter, { strict: false });

const WAYS: Readonly<Record<Way, (n: number) => Promise<void>>> = {
  rest: async (n) => {
    const response = await fetch(`http://127.0.0.1:${String(httpPort)}/stock/${skuOf(n)}`);
    await response.json();
  },
  grpc: async (n) => {
    await stock.call('getStock', { sku: skuOf(n) });
  },
  service: ask,
  view: ask,
  publish: async (n) => {
    await events.publish(OrderPlaced, orderOf(n));
  },
  published: tell,
  outbox: tell,
};

process.stdout.write(`${JSON.stringify(await closedLoop(WAYS[way], task))}\n`);
await app.close();

function skuOf(n: number): string {
  return `sku-${String(n % 1_000)}`;
}

function orderOf(n: number): { orderId: string; sku: string } {
  return { orderId: `order-${String(n)}`, sku: skuOf(n) };
}

async function ask(n: number): Promise<void> {
  const { path } = await router.run(checkStock, { sku: skuOf(n) });
  if (path !== way) throw new Error(`answered by ${path}`);
}

async function tell(n: number): Promise<void> {
  const { path } = await router.run(placeOrder, orderOf(n));
  if (path !== way) throw new Error(`went to ${path}`);
}
