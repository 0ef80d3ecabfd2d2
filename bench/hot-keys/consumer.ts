/** Our consumer in one run of `hot-keys.ts`; prints `ready`, then one line of JSON. */
import 'reflect-metadata';

import { setTimeout as delay } from 'node:timers/promises';
import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Ctx, Payload } from '@nestjs/microservices';
import {
  defineEvent,
  EventContext,
  EventHandler,
  KafkaEventsModule,
  type StandardSchema,
} from 'nestjs-kafka-events';

/** What a consumer of either kind is told. */
export interface HotKeyTask {
  readonly brokers: readonly string[];
  readonly topic: string;
  readonly groupId: string;
  readonly records: number;
  readonly workMs: number;
  readonly concurrency: number;
  /** Of so many records one fails, the first time; 0: none. */
  readonly failEvery: number;
}

/** How long records took, from the first to the last, and each from its timestamp until it was handled. */
export interface HotKeyResult {
  readonly ms: number;
  readonly latencies: readonly (readonly [key: number, ms: number, record: number])[];
}

interface Order {
  readonly orderId: string;
  readonly totalCents: number;
}

const task = JSON.parse(process.argv[2] ?? '{}') as HotKeyTask;
const { brokers, topic, groupId, records, workMs, concurrency, failEvery } = task;

const unchecked: StandardSchema<Order> = {
  '~standard': { version: 1, vendor: 'bench', validate: (value) => ({ value: value as Order }) },
};
const BenchOrder = defineEvent({
  type: 'bench.order',
  version: 1,
  topic,
  key: 'orderId',
  schema: unchecked,
});

const latencies: [number, number, number][] = [];
let startedAt = 0;
let finish: (ms: number) => void = () => undefined;
const finished = new Promise<number>((resolve) => {
  finish = resolve;
});

@Injectable()
class Orders {
  @EventHandler(BenchOrder, { concurrency })
  async take(@Payload() order: Order, @Ctx() { attempt, timestamp }: EventContext): Promise<void> {
    startedAt ||= performance.now();
    if (workMs > 0) await delay(workMs);
    const n = order.totalCents;
    if (failEvery > 0 && n % failEvery === 0 && attempt === 1)
      throw new Error('the one in so many');
    const key = Number(order.orderId.slice('order-'.length));
    latencies.push([key, Date.now() - timestamp.getTime(), n]);
    if (latencies.length === records) finish(performance.now() - startedAt);
  }
}

@Module({
  imports: [KafkaEventsModule.forRoot({ clientId: 'bench', brokers, consumer: { groupId } })],
  providers: [Orders],
})
class App {}

const log = ['error'] as const;
await NestFactory.createApplicationContext(App, { logger: [...log] });
process.stdout.write('ready\n');
const result: HotKeyResult = { ms: await finished, latencies };
process.stdout.write(`${JSON.stringify(result)}\n`, () => process.exit(0));
