/** One client's run for `embedded-kafka.ts`: produces a topic, consumes it, prints both times. */
import kafkajs, { type Kafka as KafkaClient, type Message } from 'kafkajs';
import { EmbeddedKafka } from 'nestjs-kafka-events/testing';

const { Kafka, logLevel, Partitioners } = kafkajs;

/** What a run is told. */
export interface Load {
  /** None: a broker of its own, in the process of the client. */
  readonly brokers: readonly string[];
  readonly topic: string;
  readonly partitions: number;
  readonly records: number;
  readonly batch: number;
  readonly valueBytes: number;
  /** Produce requests at a time. */
  readonly inFlight: number;
}

export interface Times {
  readonly produceMs: number;
  readonly consumeMs: number;
}

/** From the first request until all are acknowledged by all in-sync replicas. */
async function produce(kafka: KafkaClient, load: Load): Promise<number> {
  const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner });
  await producer.connect();
  const value = Buffer.alloc(load.valueBytes, 'x');
  const batchOf = (partition: number): Message[] =>
    Array.from({ length: load.batch }, (_, i) => ({ key: `key-${String(i)}`, value, partition }));
  const byPartition = Array.from({ length: load.partitions }, (_, partition) => batchOf(partition));
  const batches = load.records / load.batch;
  let next = 0;
  const sendInTurn = async () => {
    while (next < batches) {
      const messages = byPartition[next++ % load.partitions] ?? [];
      await producer.send({ topic: load.topic, messages, acks: -1 });
    }
  };
  const startedAt = performance.now();
  await Promise.all(Array.from({ length: load.inFlight }, sendInTurn));
  const tookMs = performance.now() - startedAt;
  await producer.disconnect();
  return tookMs;
}

/** From the assignment of the partitions until the end of all of them is committed. */
async function consume(kafka: KafkaClient, load: Load): Promise<number> {
  const consumer = kafka.consumer({ groupId: `${load.topic}-readers`, maxWaitTimeInMs: 200 });
  let startedAt = 0;
  consumer.on(consumer.events.GROUP_JOIN, () => {
    startedAt ||= performance.now();
  });
  const ends = new Map<number, string>();
  let seen = 0;
  await consumer.connect();
  await consumer.subscribe({ topic: load.topic, fromBeginning: true });
  await new Promise<void>((resolve, reject) => {
    consumer.on(consumer.events.CRASH, ({ payload }) => {
      reject(payload.error);
    });
    const running = consumer.run({
      autoCommit: false,
      eachBatch: async ({ batch }) => {
        seen += batch.messages.length;
        ends.set(batch.partition, String(BigInt(batch.lastOffset()) + 1n));
        if (seen >= load.records) resolve();
        return Promise.resolve();
      },
    });
    running.catch(reject);
  });
  const offsets = [...ends].map(([partition, offset]) => ({
    topic: load.topic,
    partition,
    offset,
  }));
  await consumer.commitOffsets(offsets);
  const tookMs = performance.now() - startedAt;
  await consumer.disconnect();
  return tookMs;
}

/** Both, on a topic that exists only for it. */
async function measure(load: Load): Promise<Times> {
  const kafka = new Kafka({ brokers: [...load.brokers], logLevel: logLevel.NOTHING });
  const admin = kafka.admin();
  await admin.connect();
  const { topic, partitions } = load;
  await admin.createTopics({
    waitForLeaders: true,
    topics: [{ topic, numPartitions: partitions }],
  });
  const produceMs = await produce(kafka, load);
  const consumeMs = await consume(kafka, load);
  await admin.deleteTopics({ topics: [topic] });
  await admin.disconnect();
  return { produceMs, consumeMs };
}

const [text = '{}'] = process.argv.slice(2);
const task = JSON.parse(text) as Load;
const own = task.brokers.length === 0 ? await EmbeddedKafka.start() : undefined;
const load = { ...task, brokers: own?.brokers ?? task.brokers };
// Until the client's own code has warmed up.
await measure({ ...load, topic: `${load.topic}.warm-up`, records: load.batch * 40 });
process.stdout.write(`${JSON.stringify(await measure(load))}\n`);
await own?.stop();
