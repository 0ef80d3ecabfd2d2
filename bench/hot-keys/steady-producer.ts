import { setTimeout as delay } from 'node:timers/promises';
import kafkajs from 'kafkajs';

import { createTopics, orderMessage } from '../backlog.js';

const { CompressionTypes, Kafka, logLevel, Partitioners } = kafkajs;

const TICK_MS = 10;

/** Produces records at a steady rate into a topic of its own. */
export class SteadyProducer {
  readonly #kafka;
  readonly #producer;

  constructor(
    brokers: readonly string[],
    private readonly topic: string,
  ) {
    this.#kafka = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING });
    this.#producer = this.#kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner });
  }

  async prepare(partitions: number): Promise<void> {
    await createTopics(this.#kafka, this.topic, partitions);
    await this.#producer.connect();
  }

  /** One record for each key, in this order; resolves when all are acknowledged. */
  async produce(keys: readonly number[], perSecond: number): Promise<void> {
    const sends: Promise<unknown>[] = [];
    const startedAt = performance.now();
    for (let sent = 0; sent < keys.length;) {
      const due = Math.min(
        keys.length,
        Math.ceil(((performance.now() - startedAt) * perSecond) / 1000),
      );
      const now = Date.now();
      const messages = keys.slice(sent, due).map((key, i) => orderMessage(sent + i, key, now));
      const { topic } = this;
      const { None: compression } = CompressionTypes;
      if (messages.length > 0) sends.push(this.#producer.send({ topic, messages, compression }));
      sent = due;
      await delay(TICK_MS);
    }
    await Promise.all(sends);
  }

  close(): Promise<void> {
    return this.#producer.disconnect();
  }
}
