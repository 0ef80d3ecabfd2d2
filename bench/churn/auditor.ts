import { kafkaJsDriver } from '../../lib/kafka/drivers/kafkajs/kafkajs-driver.js';
import type { ConsumerDriver, ConsumerHooks } from '../../lib/kafka/driver.js';
import { AUDITOR, SESSION_MS } from './scene.js';

export interface Audit {
  readonly brokers: readonly string[];
  readonly topics: readonly string[];
  readonly onRead: (id: number) => void;
}

/**
 * One quiet member that reads all there is, on our own driver: a bare kafkajs consumer now and then
 * ends for good, without a word, when a connection closes under one of its commits.
 */
export class Auditor {
  private constructor(private readonly consumer: ConsumerDriver) {}

  static async join({ brokers, topics, onRead }: Audit): Promise<Auditor> {
    const consumer = driverFor(brokers).consumer({
      groupId: AUDITOR,
      topics,
      sessionTimeoutMs: SESSION_MS,
      rebalanceTimeoutMs: SESSION_MS,
      heartbeatIntervalMs: 200,
      maxBytesPerPartition: 1024 * 1024,
      maxWaitTimeMs: 200,
      metadataMaxAgeMs: 30_000,
      revokeDrainMs: 0,
    });
    await consumer.start(hooksFor(consumer, onRead));
    return new Auditor(consumer);
  }

  leave(): Promise<void> {
    return this.consumer.stop(5_000);
  }
}

function hooksFor(consumer: ConsumerDriver, onRead: (id: number) => void): ConsumerHooks {
  return {
    onRecords: ({ topic, partition, epoch, records, nextOffset }) => {
      for (const { value } of records) onRead(Number(value));
      // What is not committed comes again, and has been read all the same.
      consumer.commit([{ topic, partition, epoch, offset: nextOffset }]).catch(() => undefined);
    },
    onRevoking: () => Promise.resolve(),
    onAssigned: () => undefined,
    onLost: () => undefined,
    onState: (state, cause) => {
      if (cause !== undefined) console.log(`auditor ${state}: ${cause.message}`);
    },
    onMembers: () => undefined,
    onOffsetOutOfRange: ({ topic, partition }) => {
      console.log(`auditor: ${topic}[${String(partition)}] is out of range`);
    },
    onFetchFailed: () => undefined,
    onTopicUnavailable: () => undefined,
    onTopicAvailable: () => undefined,
  };
}

function driverFor(brokers: readonly string[]) {
  const connection = {
    clientId: AUDITOR,
    brokers,
    ssl: false,
    sasl: null,
    connectionTimeoutMs: 1_000,
    requestTimeoutMs: 5_000,
    retries: 5,
    retryInitialDelayMs: 50,
    maxDecompressedBatchBytes: 64 * 1024 * 1024,
    patchKafkaJs: true,
  };
  return kafkaJsDriver(connection, () => undefined);
}
