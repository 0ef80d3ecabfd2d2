import { randomUUID } from 'node:crypto';
import {
  Kafka,
  logLevel,
  Partitioners,
  type Admin,
  type IHeaders,
  type Message,
  type Producer,
} from 'kafkajs';

/** A record as it lies in its topic. */
export interface StoredRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: string;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: IHeaders;
}

export interface GroupPosition {
  readonly topic: string;
  readonly partition: number;
  /** Where the next record will be written. */
  readonly end: bigint;
  /** What the group reads next, by its own word. */
  readonly committed: bigint;
}

/**
 * kafkajs and nothing else: the demo's troublemaker and its witness. What it says does not depend
 * on the library that it is to judge.
 */
export class BareKafka {
  private constructor(
    private readonly kafka: Kafka,
    private readonly admin: Admin,
    private readonly producer: Producer,
  ) {}

  static async connect(brokers: string[]): Promise<BareKafka> {
    const kafka = new Kafka({ clientId: 'demo-witness', brokers, logLevel: logLevel.NOTHING });
    const admin = kafka.admin();
    const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner });
    try {
      await admin.connect();
      await producer.connect();
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      const advice = 'Set KAFKA_BROKERS to the host:port of a Kafka without TLS, or leave it out';
      throw new Error(`no Kafka answers at ${brokers.join(',')} (${reason}). ${advice}`, {
        cause: error,
      });
    }
    return new BareKafka(kafka, admin, producer);
  }

  async send(topic: string, messages: Message[]): Promise<void> {
    await this.producer.send({ topic, messages });
  }

  /** Everything in the topics, from their beginning to where they end now. */
  async readAll(topics: string[]): Promise<StoredRecord[]> {
    const unread = await this.#unreadPartitions(topics);
    const records: StoredRecord[] = [];
    if (unread.size === 0) return records;

    const groupId = `demo-witness-${randomUUID()}`;
    const consumer = this.kafka.consumer({ groupId });
    await consumer.connect();
    await consumer.subscribe({ topics, fromBeginning: true });
    await new Promise<void>((resolve, reject) => {
      consumer.on('consumer.crash', ({ payload }) => {
        reject(payload.error);
      });
      const eachMessage = async ({ topic, partition, message }: Delivered): Promise<void> => {
        const { offset, key, value, headers = {} } = message;
        const place = `${topic}:${partition}`;
        const end = unread.get(place);
        // What was written after the count began is for another time.
        if (end === undefined || BigInt(offset) >= end) return;
        records.push({ topic, partition, offset, key, value, headers });
        if (BigInt(offset) === end - 1n) unread.delete(place);
        if (unread.size === 0) resolve();
      };
      consumer.run({ autoCommit: false, eachMessage }).catch(reject);
    });
    await consumer.disconnect();
    await this.admin.deleteGroups([groupId]);
    return records;
  }

  /** How far a group has come in every partition of the topics. */
  async positionsOf(groupId: string, topics: string[]): Promise<GroupPosition[]> {
    const committed = await this.admin.fetchOffsets({ groupId, topics });
    const positions = committed.map(async ({ topic, partitions }) => {
      const ends = await this.admin.fetchTopicOffsets(topic);
      return ends.map(({ partition, low, high }) => {
        const offset = partitions.find((own) => own.partition === partition)?.offset ?? '-1';
        // A partition that nothing was ever read from has no committed offset.
        return {
          topic,
          partition,
          end: BigInt(high),
          committed: BigInt(offset === '-1' ? low : offset),
        };
      });
    });
    return (await Promise.all(positions)).flat();
  }

  async remove(groupId: string, topics: string[]): Promise<void> {
    await this.admin.deleteGroups([groupId]);
    await this.admin.deleteTopics({ topics });
  }

  async close(): Promise<void> {
    await this.producer.disconnect();
    await this.admin.disconnect();
  }

  /** The partitions that hold records, by `topic:partition`, with the offsets they end at. */
  async #unreadPartitions(topics: string[]): Promise<Map<string, bigint>> {
    const unread = new Map<string, bigint>();
    for (const topic of topics) {
      for (const { partition, low, high } of await this.admin.fetchTopicOffsets(topic)) {
        if (low !== high) unread.set(`${topic}:${partition}`, BigInt(high));
      }
    }
    return unread;
  }
}

interface Delivered {
  readonly topic: string;
  readonly partition: number;
  readonly message: Omit<StoredRecord, 'topic' | 'partition' | 'headers'> & { headers?: IHeaders };
}

/** The text of a header that stands once in a record; undefined where there is none. */
export function headerOf({ headers }: StoredRecord, name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? undefined : value?.toString();
}
