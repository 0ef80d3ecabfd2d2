import kafkajs, { type Consumer, type Kafka, type PartitionAssigner } from 'kafkajs';
import { eventually } from '../../test/support/eventually.js';
import { SESSION_MS } from './scene.js';

const { PartitionAssigners, Partitioners } = kafkajs;

export interface Reading {
  readonly kafka: Kafka;
  readonly groupId: string;
  readonly topics: readonly string[];
  readonly onRead: (id: number) => void;
}

/** A member of a group, until `leave`. */
export class Reader {
  readonly #consumer: Consumer;
  #leaving = false;

  private constructor(private readonly reading: Reading) {
    this.#consumer = reading.kafka.consumer({
      groupId: reading.groupId,
      partitionAssigners: [this.#assigner],
      sessionTimeout: SESSION_MS,
      rebalanceTimeout: SESSION_MS,
      heartbeatInterval: 200,
      maxWaitTimeInMs: 200,
      retry: {
        ...{ retries: 20, initialRetryTime: 50, maxRetryTime: 500 },
        // A restart that was due would bring it back after its end.
        restartOnFailure: () => Promise.resolve(!this.#leaving),
      },
    });
  }

  static async join(reading: Reading): Promise<Reader> {
    const reader = new Reader(reading);
    await reader.#join().catch(async (error: unknown) => {
      await reader.leave();
      throw error;
    });
    return reader;
  }

  /**
   * Where brokers come or go just when its consumer ends, kafkajs starts fetching again and spins for
   * ever in one turn of the event loop. With no brokers to fetch from it gives up.
   */
  readonly #assigner: PartitionAssigner = (config) => {
    const { cluster } = config;
    const getNodeIds = cluster.getNodeIds.bind(cluster);
    cluster.getNodeIds = () => (this.#leaving ? [] : getNodeIds());
    return PartitionAssigners.roundRobin(config);
  };

  async leave(): Promise<void> {
    this.#leaving = true;
    await this.#consumer.disconnect();
  }

  async #join(): Promise<void> {
    const { topics, onRead } = this.reading;
    await this.#consumer.connect();
    await this.#consumer.subscribe({ topics: [...topics], fromBeginning: true });
    await this.#consumer.run({
      eachBatch: ({ batch }) => {
        for (const { value } of batch.messages) onRead(Number(value));
        return Promise.resolve();
      },
    });
  }
}

/**
 * A topic and a group that live for a moment, with their producer, their member and an admin. What
 * a visit that failed left behind is used, and deleted, by the next one of that name.
 */
export async function visit(kafka: Kafka, name: string): Promise<void> {
  const admin = kafka.admin();
  const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner });
  try {
    await admin.connect();
    await admin.createTopics({ topics: [{ topic: name, numPartitions: 3 }] });
    await producer.connect();
    await producer.send({ topic: name, messages: [{ value: '1' }, { value: '2' }] });
    await readSomething(kafka, name);
    await admin.deleteGroups([name]);
    await admin.deleteTopics({ topics: [name] });
  } finally {
    await Promise.all([producer.disconnect(), admin.disconnect()]);
  }
}

async function readSomething(kafka: Kafka, name: string): Promise<void> {
  let read = 0;
  const onRead = () => {
    read++;
  };
  const reader = await Reader.join({ kafka, groupId: name, topics: [name], onRead });
  await eventually(() => read > 0).finally(() => reader.leave());
}
