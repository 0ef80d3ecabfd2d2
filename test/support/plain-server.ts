import { randomUUID } from 'node:crypto';

import { Module, type INestApplication, type Provider, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Transport, type KafkaOptions } from '@nestjs/microservices';

import { KafkaEventsModule, type KafkaEventsModuleOptions } from '../../lib/index.js';
import { onCleanup } from './cleanup.js';
import { connectedProducer, kafkaJs } from './embedded-kafka.js';

/** Topics and group of one test, on a broker that others use as well. */
export interface PlainPlace {
  readonly brokers: readonly string[];
  readonly topic: string;
  readonly replyTopic: string;
  /** Without the postfix that Nest adds. */
  readonly groupId: string;
}

/** A topic of one partition with its dead-letter topic, and a group's name. */
export async function plainPlace(brokers: readonly string[]): Promise<PlainPlace> {
  const topic = `orders-${randomUUID().slice(0, 8)}`;
  const admin = kafkaJs([...brokers]).admin();
  await admin.connect();
  await admin.createTopics({
    topics: [topic, `${topic}.dlq`, `${topic}.reply`].map((name) => ({
      topic: name,
      numPartitions: 1,
    })),
    waitForLeaders: true,
  });
  await admin.disconnect();
  return {
    brokers,
    topic,
    replyTopic: `${topic}.reply`,
    groupId: `group-${randomUUID().slice(0, 8)}`,
  };
}

export interface PlainAppOptions {
  readonly module?: KafkaEventsModuleOptions;
  readonly run?: NonNullable<KafkaOptions['options']>['run'];
  readonly sessionTimeout?: number;
  readonly providers?: Provider[];
  /** Whether the microservice is connected when the application has booted already. Default false. */
  readonly late?: boolean;
}

/** Boots an application whose controllers stand behind Nest's own Kafka transport. */
export async function bootPlainApp(
  { brokers, topic, groupId }: PlainPlace,
  controllers: Type[],
  {
    module: options = {},
    run = { autoCommit: false },
    sessionTimeout = 9_000,
    providers = [],
    late = false,
  }: PlainAppOptions = {},
): Promise<INestApplication> {
  @Module({
    imports: [
      KafkaEventsModule.forRoot({
        clientId: 'plain-test',
        brokers,
        topics: 'unchecked',
        idempotency: { store: 'memory' },
        retry: { attempts: 3, initialDelayMs: 5, maxDelayMs: 20 },
        topicName: () => topic,
        ...options,
      }),
    ],
    controllers,
    providers,
  })
  class Root {}
  const app = await NestFactory.create(Root, { logger: false, abortOnError: false });
  onCleanup(() => app.close());
  if (late) await app.init();
  app.connectMicroservice<KafkaOptions>({
    transport: Transport.KAFKA,
    options: {
      client: { brokers: [...brokers], clientId: 'plain' },
      consumer: {
        groupId,
        sessionTimeout,
        heartbeatInterval: 100,
        maxWaitTimeInMs: 50,
        retry: { retries: 30, initialRetryTime: 20, maxRetryTime: 100 },
      },
      subscribe: { fromBeginning: true },
      run,
    },
  });
  await app.startAllMicroservices();
  await app.init();
  return app;
}

/** Sends records to the one partition of a place. */
export async function sendPlain(
  { brokers, topic }: PlainPlace,
  ...records: { value: string; headers?: Record<string, string> }[]
): Promise<void> {
  const producer = await connectedProducer(kafkaJs([...brokers]));
  await producer.send({ topic, messages: records });
}
