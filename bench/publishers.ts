/** One publisher's run for `publish.ts`: publishes, prints how fast. */
import 'reflect-metadata';

import { randomUUID } from 'node:crypto';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import kafkajs, { type Message } from 'kafkajs';
import {
  defineEvent,
  EventPublisher,
  KafkaEventsModule,
  type StandardSchema,
} from 'nestjs-kafka-events';

import { median } from './figures.js';

const { CompressionTypes, Kafka, logLevel, Partitioners } = kafkajs;

export interface PublishTask {
  readonly brokers: readonly string[];
  readonly topic: string;
  readonly publisher: 'bareSend' | 'bareBatches' | 'ours';
  /** How many publish at a time. */
  readonly callers: number;
  readonly events: number;
}

export interface PublishResult {
  readonly perSecond: number;
  /** Of one call. */
  readonly p50Ms: number;
}

interface Order {
  readonly orderId: string;
  readonly customer: string;
  readonly totalCents: number;
}

/** Publishes some events, starting with that number. */
type Publish = (first: number) => Promise<unknown>;

const BATCH = 500;

function orderOf(n: number): Order {
  return {
    orderId: `order-${String(n % 10_000)}`,
    customer: `customer-${String(n % 97)}`,
    totalCents: n,
  };
}

/** As `EventPublisher` writes it. */
function messageOf(n: number): Message {
  const order = orderOf(n);
  const id = randomUUID();
  return {
    key: order.orderId,
    value: JSON.stringify(order),
    headers: {
      'event-id': id,
      'event-type': 'bench.order.v1',
      'correlation-id': id,
      'event-time': new Date().toISOString(),
      'aggregate-id': order.orderId,
      'content-type': 'application/json',
    },
  };
}

async function bare({ brokers, topic, publisher }: PublishTask): Promise<Publish> {
  const kafka = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING });
  const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner });
  await producer.connect();
  const options = { topic, acks: -1, compression: CompressionTypes.GZIP };
  const count = publisher === 'bareBatches' ? BATCH : 1;
  return (first) => {
    const messages = Array.from({ length: count }, (_, i) => messageOf(first + i));
    return producer.send({ ...options, messages });
  };
}

async function ours({ brokers, topic }: PublishTask): Promise<Publish> {
  const unchecked: StandardSchema<Order> = {
    '~standard': {
      version: 1,
      vendor: 'bench',
      validate: (value) => ({ value: value as Order }),
    },
  };
  const key = 'orderId';
  const BenchOrder = defineEvent({
    type: 'bench.order',
    version: 1,
    topic,
    key,
    schema: unchecked,
  });
  @Module({ imports: [KafkaEventsModule.forRoot({ clientId: 'bench', brokers, consume: false })] })
  class App {}
  const app = await NestFactory.createApplicationContext(App, { logger: ['error', 'warn'] });
  const events = app.get(EventPublisher);
  return (first) => events.publish(BenchOrder, orderOf(first));
}

/** `callers` calls at a time, each of `step` events, until there were so many events. */
async function drive(publish: Publish, events: number, callers: number, step: number) {
  const latencies: number[] = [];
  let next = 0;
  const call = async () => {
    while (next < events) {
      const first = next;
      next += step;
      const startedAt = performance.now();
      await publish(first);
      latencies.push(performance.now() - startedAt);
    }
  };
  const startedAt = performance.now();
  await Promise.all(Array.from({ length: callers }, call));
  return { perSecond: (events / (performance.now() - startedAt)) * 1000, p50Ms: median(latencies) };
}

const task = JSON.parse(process.argv[2] ?? '{}') as PublishTask;
const publish = await (task.publisher === 'ours' ? ours(task) : bare(task));
const batches = task.publisher === 'bareBatches';
// Batches of its own making need no crowd: one on its way, one being made.
const [callers, step] = batches ? [2, BATCH] : [task.callers, 1];
await drive(publish, Math.min(task.events, 5_000), callers, step);
process.stdout.write(`${JSON.stringify(await drive(publish, task.events, callers, step))}\n`);
process.exit(0);
