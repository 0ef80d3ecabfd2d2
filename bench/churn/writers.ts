import { setTimeout as sleep } from 'node:timers/promises';
import kafkajs, { type Kafka, type Message, type Producer } from 'kafkajs';
import type { Ledger } from './ledger.js';
import { SESSION_MS, TOPICS } from './scene.js';

const { Partitioners } = kafkajs;

const RECORDS = 10;
const VALUE_BYTES = 120;
const PAUSE_MS = 50;

export interface Writing {
  /** To any of these. */
  readonly topics: readonly { readonly topic: string; readonly partitions: number }[];
  readonly kafka: Kafka;
  readonly ledger: Ledger;
  readonly random: () => number;
}

/**
 * One producer from its connection to its end. Any failure ends it: kafkajs gives the sequence
 * numbers of a failed request to the next one, which the broker would take for its duplicate.
 */
export async function produce(writing: Writing, { idempotent = false } = {}): Promise<void> {
  const createPartitioner = Partitioners.DefaultPartitioner;
  const producer = writing.kafka.producer({ createPartitioner, idempotent });
  await whileConnected(producer, async () => {
    for (let sends = 5 + 40 * writing.random(); sends > 0; sends--) {
      const ids = writing.ledger.newIds(RECORDS);
      await producer.send(recordsOf(ids, writing));
      writing.ledger.acknowledged(ids);
      await sleep(PAUSE_MS);
    }
  });
}

/** The same with transactions, of which a part is aborted. */
export async function transact(writing: Writing, transactionalId: string): Promise<void> {
  const { kafka, random, ledger } = writing;
  const producer = kafka.producer({
    createPartitioner: Partitioners.DefaultPartitioner,
    transactionalId,
    transactionTimeout: SESSION_MS,
    maxInFlightRequests: 1,
  });
  await whileConnected(producer, async () => {
    for (let transactions = 2 + 10 * random(); transactions > 0; transactions--) {
      await oneTransaction(producer, writing, `offsets-of-${transactionalId}`);
      await sleep(PAUSE_MS);
    }
  });

  async function oneTransaction(of: Producer, by: Writing, consumerGroupId: string) {
    const transaction = await of.transaction();
    const ids = ledger.newIds(2 * RECORDS);
    await transaction.send(recordsOf(ids.slice(0, RECORDS), by));
    await transaction.send(recordsOf(ids.slice(RECORDS), by));
    const partitions = [{ partition: 0, offset: String(ids[0]) }];
    await transaction.sendOffsets({ consumerGroupId, topics: [{ topic: 'orders', partitions }] });
    if (random() < 0.3) {
      await transaction.abort();
      ledger.aborted(ids);
    } else {
      await transaction.commit();
      ledger.acknowledged(ids);
    }
  }
}

async function whileConnected(producer: Producer, work: () => Promise<void>): Promise<void> {
  try {
    await producer.connect();
    await work();
  } finally {
    await producer.disconnect();
  }
}

/** All of one partition: what fails, fails whole. */
function recordsOf(ids: readonly number[], { random, topics }: Writing) {
  const { topic, partitions } = topics[Math.floor(random() * topics.length)] ?? TOPICS[0];
  const partition = Math.floor(random() * partitions);
  const messages = ids.map((id): Message => ({
    partition,
    value: String(id).padEnd(VALUE_BYTES),
  }));
  return { topic, messages };
}
