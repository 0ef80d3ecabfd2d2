import 'reflect-metadata';

import { setTimeout as delay } from 'node:timers/promises';
import { Controller, Injectable, Module, UseFilters, UseInterceptors } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  Ctx,
  EventPattern,
  KafkaContext,
  Payload,
  Transport,
  type MicroserviceOptions,
} from '@nestjs/microservices';
import { Type } from 'class-transformer';
import { IsInt, IsString, ValidateNested } from 'class-validator';
import { Redis } from 'ioredis';
import kafkajs from 'kafkajs';
import {
  defineEvent,
  DomainEvent,
  EventBatch,
  EventBatchHandler,
  EventHandler,
  IdempotencyInterceptor,
  KafkaEventsModule,
  KafkaEventsServer,
  RetryDeadLetterFilter,
  type EventSource,
  type IdempotencyStore,
  type StandardSchema,
} from 'nestjs-kafka-events';
import { RedisIdempotencyStore } from 'nestjs-kafka-events/redis';

const { Kafka, logLevel } = kafkajs;

interface Order {
  readonly orderId: string;
  readonly totalCents: number;
}

/** What one run is told; see `consume.ts`. */
export interface Task {
  readonly brokers: readonly string[];
  readonly topic: string;
  readonly records: number;
  readonly groupId: string;
  /** How long a handler takes; 0 for one that returns at once. */
  readonly workMs: number;
  readonly concurrency: number;
  /** Where the idempotency store is that is not in memory. */
  readonly redis: { readonly host: string; readonly port: number };
}

/** Counts records; the time runs from the first to the last. */
class StopWatch {
  readonly finished: Promise<number>;
  #resolve: (ms: number) => void = () => undefined;
  #startedAt = 0;
  #seen = 0;
  /** Of what was read, so that reading cannot be optimised away. */
  #sum = 0;

  constructor(private readonly records: number) {
    this.finished = new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  begin(): void {
    if (this.#startedAt === 0) this.#startedAt = performance.now();
  }

  count(order: Order): void {
    this.#sum += order.totalCents;
    if (++this.#seen === this.records) this.#resolve(performance.now() - this.#startedAt);
  }
}

/** kafkajs alone: `eachBatch`, `JSON.parse`, one commit per batch. */
async function bare(task: Task, watch: StopWatch): Promise<void> {
  const kafka = new Kafka({ brokers: [...task.brokers], logLevel: logLevel.NOTHING });
  const consumer = kafka.consumer({ groupId: task.groupId, maxWaitTimeInMs: 200 });
  await consumer.connect();
  await consumer.subscribe({ topic: task.topic, fromBeginning: true });
  await consumer.run({
    autoCommit: false,
    eachBatch: async (payload) => {
      const { batch } = payload;
      watch.begin();
      for (const { value } of batch.messages) {
        watch.count(JSON.parse(String(value)) as Order);
      }
      const { topic, partition } = batch;
      const offset = String(BigInt(batch.lastOffset()) + 1n);
      await payload.commitOffsetsIfNecessary({
        topics: [{ topic, partitions: [{ partition, offset }] }],
      });
    },
  });
}

/** Nest's own Kafka transport with auto-commit, as its documentation sets it up. */
async function nestTransport(task: Task, watch: StopWatch): Promise<void> {
  @Controller()
  class Orders {
    @EventPattern(task.topic)
    take(@Payload() order: object): void {
      watch.begin();
      watch.count(order as Order);
    }
  }
  await listen(task, Orders);
}

/** The same with a commit for each record, as its documentation does it by hand. */
async function nestCommitting(task: Task, watch: StopWatch): Promise<void> {
  @Controller()
  class Orders {
    @EventPattern(task.topic)
    async take(@Payload() order: object, @Ctx() context: unknown): Promise<void> {
      if (!(context instanceof KafkaContext)) throw new TypeError('not from Kafka');
      watch.begin();
      const { offset } = context.getMessage();
      const [topic, partition] = [context.getTopic(), context.getPartition()];
      const next = String(BigInt(offset) + 1n);
      await context.getConsumer().commitOffsets([{ topic, partition, offset: next }]);
      watch.count(order as Order);
    }
  }
  await listen(task, Orders, { autoCommit: false });
}

async function listen(
  task: Task,
  controller: new () => object,
  runOptions: { readonly autoCommit?: boolean } = {},
): Promise<void> {
  @Module({ controllers: [controller] })
  class App {}
  const app = await NestFactory.createMicroservice<MicroserviceOptions>(App, {
    logger: false,
    transport: Transport.KAFKA,
    options: {
      client: { brokers: [...task.brokers] },
      consumer: { groupId: task.groupId },
      subscribe: { fromBeginning: true },
      run: runOptions,
    },
  });
  await app.listen();
}

/** `@EventPattern` behind our server, with dedup, retries and dead letters. */
async function server(task: Task, watch: StopWatch): Promise<void> {
  @Controller()
  @UseInterceptors(IdempotencyInterceptor)
  @UseFilters(RetryDeadLetterFilter)
  class Orders {
    @EventPattern(task.topic)
    take(@Payload() order: object): void {
      watch.begin();
      watch.count(order as Order);
    }
  }
  @Module({ imports: [eventsModule(task, 'memory')], controllers: [Orders] })
  class App {}
  const app = await NestFactory.createMicroservice(App, {
    logger: ['error', 'warn'],
    inject: [KafkaEventsServer],
    useFactory: (strategy: KafkaEventsServer) => ({ strategy }),
  });
  await app.listen();
}

/** Us as we come: memory store, dedup on, a contract of class-validator. */
async function ours(task: Task, watch: StopWatch): Promise<void> {
  await consume(task, watch, validatedOrder(task.topic), 'memory');
}

/** Us with a contract that checks nothing, as the others do. */
async function oursUnchecked(task: Task, watch: StopWatch): Promise<void> {
  await consume(task, watch, uncheckedOrder(task.topic), 'memory');
}

/** Us with claims in Redis. */
async function oursOnRedis(task: Task, watch: StopWatch): Promise<void> {
  const client = new Redis({ ...task.redis, lazyConnect: true });
  const store = new RedisIdempotencyStore({ client });
  await consume(task, watch, uncheckedOrder(task.topic), store);
}

/** A handler of batches, with a contract that checks nothing. */
async function batches(task: Task, watch: StopWatch): Promise<void> {
  await consumeBatches(task, watch, 'memory');
}

/** The same with claims in Redis. */
async function batchesOnRedis(task: Task, watch: StopWatch): Promise<void> {
  const client = new Redis({ ...task.redis, lazyConnect: true });
  await consumeBatches(task, watch, new RedisIdempotencyStore({ client }));
}

async function consumeBatches(
  task: Task,
  watch: StopWatch,
  store: IdempotencyStore | 'memory',
): Promise<void> {
  @Injectable()
  class Orders {
    @EventBatchHandler([uncheckedOrder(task.topic)])
    async take(batch: EventBatch): Promise<void> {
      watch.begin();
      if (task.workMs > 0) await delay(task.workMs);
      for (const order of batch.payloads) watch.count(order as Order);
    }
  }
  @Module({ imports: [eventsModule(task, store)], providers: [Orders] })
  class App {}
  await NestFactory.createApplicationContext(App, { logger: ['error', 'warn'] });
}

async function consume(
  task: Task,
  watch: StopWatch,
  source: EventSource,
  store: IdempotencyStore | 'memory',
): Promise<void> {
  @Injectable()
  class Orders {
    @EventHandler([source], { concurrency: task.concurrency })
    async take(@Payload() order: unknown): Promise<void> {
      watch.begin();
      if (task.workMs > 0) await delay(task.workMs);
      watch.count(order as Order);
    }
  }
  @Module({ imports: [eventsModule(task, store)], providers: [Orders] })
  class App {}
  await NestFactory.createApplicationContext(App, { logger: ['error', 'warn'] });
}

function eventsModule({ brokers, groupId }: Task, store: IdempotencyStore | 'memory') {
  return KafkaEventsModule.forRoot({
    clientId: 'bench',
    brokers,
    consumer: { groupId },
    idempotency: { store },
  });
}

function uncheckedOrder(topic: string): EventSource {
  const schema: StandardSchema<Order> = {
    '~standard': {
      version: 1,
      vendor: 'bench',
      validate: (value) => ({ value: value as Order }),
    },
  };
  return defineEvent({ type: 'bench.order', version: 1, topic, key: 'orderId', schema });
}

function validatedOrder(topic: string): EventSource {
  class Line {
    @IsString() sku!: string;
    @IsInt() quantity!: number;
  }
  @DomainEvent({ type: 'bench.order', version: 1, topic, key: 'orderId' })
  class ValidatedOrder {
    @IsString() orderId!: string;
    @IsString() customer!: string;
    @IsInt() totalCents!: number;
    @ValidateNested({ each: true }) @Type(() => Line) lines!: Line[];
  }
  return ValidatedOrder;
}

const CONTENDERS = {
  bare,
  nestTransport,
  nestCommitting,
  server,
  ours,
  oursUnchecked,
  oursOnRedis,
  batches,
  batchesOnRedis,
};
export type Contender = keyof typeof CONTENDERS;

const [name = '', task = '{}'] = process.argv.slice(2);
const contender = Object.entries(CONTENDERS).find(([each]) => each === name)?.[1];
if (contender === undefined) throw new Error(`no such contender: ${name}`);
const parsed = JSON.parse(task) as Task;
const watch = new StopWatch(parsed.records);
await contender(parsed, watch);
process.stdout.write(`${JSON.stringify({ ms: await watch.finished })}\n`);
process.exit(0);
