import kafkajs, { type Kafka as KafkaClient } from 'kafkajs';

const { CompressionTypes, Kafka, logLevel, Partitioners } = kafkajs;

/** What every contender reads. */
export interface Backlog {
  readonly brokers: readonly string[];
  readonly topic: string;
  readonly records: number;
  readonly partitions: number;
  readonly keys: number;
}

const BATCH = 500;

/** Writes a topic of orders as `EventPublisher` would, with a bare client, and its dead-letter topic. */
export async function writeBacklog({ brokers, topic, records, partitions, keys }: Backlog) {
  const kafka = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING });
  await createTopics(kafka, topic, partitions);
  const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner });
  await producer.connect();
  for (let from = 0; from < records; from += BATCH) {
    const messages = Array.from({ length: BATCH }, (_, i) =>
      orderMessage(from + i, (from + i) % keys),
    );
    await producer.send({ topic, messages, compression: CompressionTypes.None });
  }
  await producer.disconnect();
}

/** A topic and its dead-letter topic. */
export async function createTopics(kafka: KafkaClient, topic: string, partitions: number) {
  const admin = kafka.admin();
  await admin.connect();
  await admin.createTopics({
    topics: [
      { topic, numPartitions: partitions },
      {
        topic: `${topic}.dlq`,
        numPartitions: 1,
        // A record of the largest size and its dead letter's own headers.
        configEntries: [{ name: 'max.message.bytes', value: String(2 * 1024 * 1024) }],
      },
    ],
  });
  await admin.disconnect();
}

/** The nth order of a run, of one of its keys; times are milliseconds since the Unix epoch. */
export function orderMessage(n: number, keyNumber: number, time = 0) {
  const key = `order-${String(keyNumber)}`;
  return {
    key,
    timestamp: String(time || Date.now()),
    value: JSON.stringify({
      orderId: key,
      customer: `customer-${String(n % 97)}`,
      totalCents: n,
      lines: [
        { sku: 'a', quantity: 2 },
        { sku: 'b', quantity: 1 },
      ],
    }),
    headers: {
      'event-id': `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`,
      'event-type': 'bench.order.v1',
      'correlation-id': `correlation-${String(n)}`,
      'event-time': new Date(time).toISOString(),
      'aggregate-id': key,
      'content-type': 'application/json',
    },
  };
}
