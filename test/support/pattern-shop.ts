import { randomUUID } from 'node:crypto';

import { Module, type ModuleMetadata, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { KafkaMessage } from 'kafkajs';

import { DEAD_LETTER_HEADERS, KafkaEventsServer } from '../../lib/index.js';
import {
  KafkaEventsTestingModule,
  type KafkaEventsTestingOptions,
} from '../../lib/testing/kafka-events-testing.module.js';
import { TestKafka } from '../../lib/testing/test-kafka.js';
import { onCleanup } from './cleanup.js';
import { connectedProducer, kafkaJs } from './embedded-kafka.js';
import { eventually } from './eventually.js';

const QUIET = { logger: false, abortOnError: false } as const;

/** An application with a `KafkaEventsServer` microservice, and a producer of any records beside it. */
export interface PatternApp {
  readonly app: { get<T>(token: Type<T>): T; close(): Promise<unknown> };
  readonly kafka: TestKafka;
  send(topic: string, ...records: PlainRecord[]): Promise<void>;
}

export interface PlainRecord {
  readonly key?: string | Buffer | null;
  readonly value?: string | Buffer | null;
  readonly headers?: Record<string, string | Buffer>;
}

export interface PatternAppOptions extends KafkaEventsTestingOptions {
  /** How the microservice comes into being. Default `'hybrid'`. */
  readonly as?: 'hybrid' | 'microservice';
}

/** Boots an application whose `@EventPattern` controllers stand behind `KafkaEventsServer`. */
export async function bootPatternApp(
  { imports = [], ...metadata }: ModuleMetadata,
  { as = 'hybrid', ...options }: PatternAppOptions = {},
): Promise<PatternApp> {
  const kafka = options.kafka ?? (await TestKafka.start());
  if (options.kafka === undefined) onCleanup(() => kafka.stop());

  @Module({
    ...metadata,
    imports: [KafkaEventsTestingModule.forRoot({ ...options, kafka }), ...imports],
  })
  class RootModule {}

  const app = as === 'hybrid' ? await hybrid(RootModule) : await microservice(RootModule);
  onCleanup(() => app.close());
  const producer = await connectedProducer(kafkaJs([...kafka.brokers]));
  return {
    app,
    kafka,
    send: async (topic, ...records) => {
      const messages = records.map(({ value = null, ...rest }) => ({ value, ...rest }));
      await producer.send({ topic, messages });
    },
  };
}

async function hybrid(root: Type): Promise<PatternApp['app']> {
  const app = await NestFactory.create(root, QUIET);
  app.connectMicroservice({ strategy: app.get(KafkaEventsServer) });
  await app.startAllMicroservices();
  await app.init();
  return app;
}

async function microservice(root: Type): Promise<PatternApp['app']> {
  const app = await NestFactory.createMicroservice(root, {
    ...QUIET,
    inject: [KafkaEventsServer],
    useFactory: (strategy: KafkaEventsServer) => ({ strategy }),
  });
  await app.listen();
  return app;
}

/** The committed offsets of a topic's partitions together, of the testing module's group; -1 for none. */
export function committedOffset(kafka: TestKafka, topic: string): Promise<bigint> {
  return committedOffsetOf(kafka.brokers, topic, kafka.nameOf('test'));
}

export async function committedOffsetOf(
  brokers: readonly string[],
  topic: string,
  groupId: string,
): Promise<bigint> {
  const admin = kafkaJs([...brokers]).admin();
  await admin.connect();
  try {
    const [offsets] = await admin.fetchOffsets({ groupId, topics: [topic] });
    const committed = (offsets?.partitions ?? []).map(({ offset }) => BigInt(offset));
    const known = committed.filter((offset) => offset >= 0n);
    return known.length === 0 ? -1n : known.reduce((sum, offset) => sum + offset);
  } finally {
    await admin.disconnect();
  }
}

export interface DeadLetterSeen {
  readonly key: string | null;
  readonly value: string | null;
  readonly reason: string;
  /** Null where the dead letter names none. */
  readonly handler: string | null;
  readonly message: string;
  readonly attempts: number;
  readonly headers: Readonly<Record<string, string>>;
}

/** The first dead letters of a topic, once there are that many. */
export function deadLettersOf(
  kafka: TestKafka,
  topic: string,
  count = 1,
): Promise<DeadLetterSeen[]> {
  return deadLettersAt(kafka.brokers, `${topic}.dlq`, count);
}

export async function deadLettersAt(
  brokers: readonly string[],
  topic: string,
  count: number,
): Promise<DeadLetterSeen[]> {
  const messages: KafkaMessage[] = [];
  const consumer = kafkaJs([...brokers]).consumer({
    groupId: `reader-${randomUUID()}`,
    maxWaitTimeInMs: 30,
  });
  await consumer.connect();
  try {
    await consumer.subscribe({ topic, fromBeginning: true });
    await consumer.run({
      eachMessage: ({ message }) => {
        messages.push(message);
        return Promise.resolve();
      },
    });
    await eventually(() => messages.length >= count);
    return messages.map(seen);
  } finally {
    await consumer.disconnect();
  }
}

function seen({ key, value, headers: raw = {} }: KafkaMessage): DeadLetterSeen {
  const headers = Object.fromEntries(
    Object.entries(raw).map(([name, bytes]) => [name, String(bytes)]),
  );
  return {
    key: key === null ? null : String(key),
    value: value === null ? null : String(value),
    reason: headers[DEAD_LETTER_HEADERS.reason] ?? '',
    handler: headers[DEAD_LETTER_HEADERS.handler] ?? null,
    message: headers[DEAD_LETTER_HEADERS.errorMessage] ?? '',
    attempts: Number(headers[DEAD_LETTER_HEADERS.attempts]),
    headers,
  };
}
