import {
  Kafka,
  logLevel,
  Partitioners,
  type Consumer,
  type KafkaConfig,
  type Producer,
} from 'kafkajs';
import { EmbeddedKafka } from '../../lib/testing/embedded-kafka/embedded-kafka.js';
import type { EmbeddedKafkaOptions } from '../../lib/testing/embedded-kafka/embedded-kafka-options.js';
import { onCleanup } from './cleanup.js';

/** Starts a broker for the current test, or file. */
export async function startEmbeddedKafka(
  options: EmbeddedKafkaOptions = {},
): Promise<EmbeddedKafka> {
  const kafka = await EmbeddedKafka.start({ groupMinSessionTimeoutMs: 100, ...options });
  onCleanup(() => kafka.stop());
  return kafka;
}

/** kafkajs with retries of its own: under `NODE_ENV=test` its defaults are other than in production. */
export function kafkaJs(brokers: string[], config: Partial<KafkaConfig> = {}): Kafka {
  return new Kafka({
    brokers,
    clientId: 'embedded-test',
    logLevel: logLevel.NOTHING,
    retry: { retries: 8, initialRetryTime: 20, maxRetryTime: 200 },
    ...config,
  });
}

export async function connectedProducer(kafka: Kafka): Promise<Producer> {
  const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner });
  await producer.connect();
  onCleanup(() => producer.disconnect());
  return producer;
}

/** A member of a group, and what it was given. */
export class KafkaJsMember {
  readonly values: string[] = [];
  readonly crashes: Error[] = [];
  /** Partitions by topic, of the last join. */
  assigned: Readonly<Record<string, readonly number[]>> = {};
  memberId = '';
  joins = 0;

  private constructor(readonly consumer: Consumer) {
    consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
      this.assigned = payload.memberAssignment;
      this.memberId = payload.memberId;
      this.joins++;
    });
    consumer.on(consumer.events.CRASH, ({ payload }) => this.crashes.push(payload.error));
  }

  static async join(
    kafka: Kafka,
    groupId: string,
    topics: (string | RegExp)[],
    { sessionTimeout = 5000 } = {},
  ): Promise<KafkaJsMember> {
    const consumer = kafka.consumer({
      groupId,
      sessionTimeout,
      rebalanceTimeout: 10_000,
      heartbeatInterval: 30,
      maxWaitTimeInMs: 30,
      retry: { retries: 8, initialRetryTime: 20, maxRetryTime: 200 },
    });
    const member = new KafkaJsMember(consumer);
    await consumer.connect();
    onCleanup(() => consumer.disconnect());
    await consumer.subscribe({ topics, fromBeginning: true });
    await consumer.run({
      eachMessage: async ({ message }) => {
        member.values.push(String(message.value));
      },
    });
    return member;
  }

  get partitions(): string[] {
    return Object.entries(this.assigned).flatMap(([topic, partitions]) =>
      partitions.map((partition) => `${topic}[${String(partition)}]`),
    );
  }
}
