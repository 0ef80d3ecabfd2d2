import type { ConnectionSettings } from '../../lib/kafka/connection.js';
import type {
  ConsumerConfig,
  ConsumerDriver,
  ConsumerHooks,
  ConsumerState,
  DriverLog,
  KafkaDriver,
  OwnedTopicPartition,
} from '../../lib/kafka/driver.js';
import { kafkaJsDriver } from '../../lib/kafka/drivers/kafkajs/kafkajs-driver.js';
import { partitionName, type OutRecord, type RecordBatch } from '../../lib/kafka/records.js';
import { onCleanup } from './cleanup.js';
import { eventually } from './eventually.js';

export function connectionTo(
  brokers: readonly string[],
  overrides: Partial<ConnectionSettings> = {},
): ConnectionSettings {
  return {
    clientId: 'driver-test',
    brokers,
    ssl: false,
    sasl: null,
    connectionTimeoutMs: 2000,
    requestTimeoutMs: 10_000,
    retries: 5,
    retryInitialDelayMs: 50,
    maxDecompressedBatchBytes: 64 * 1024 * 1024,
    patchKafkaJs: true,
    ...overrides,
  };
}

/** A log that keeps its lines, to be searched by tests. */
export class LogLines {
  readonly lines: string[] = [];

  readonly log: DriverLog = (level, message, detail) => {
    this.lines.push(`${level} ${message} ${JSON.stringify(detail ?? {})}`);
  };

  get text(): string {
    return this.lines.join('\n');
  }
}

export function driverFor(
  brokers: readonly string[],
  overrides: Partial<ConnectionSettings> = {},
  log: DriverLog = () => undefined,
): KafkaDriver {
  return kafkaJsDriver(connectionTo(brokers, overrides), log);
}

/** Something a driver told its engine, in one line: `assigned`, `lost`, `records` and so on. */
export interface Told {
  readonly what:
    | 'assigned'
    | 'kept'
    | 'lost'
    | 'records'
    | 'revoking'
    | 'members'
    | 'out of range'
    | 'fetch failed';
  readonly partition: string;
  readonly epoch: number;
}

/** A member of a group, and all it was told, in order. */
export class GroupMember implements ConsumerHooks {
  readonly told: Told[] = [];
  readonly states: ConsumerState[] = [];
  readonly batches: RecordBatch[] = [];
  readonly owned = new Map<string, OwnedTopicPartition>();
  readonly fetchFailures: string[] = [];
  /** Topics that cannot be consumed now, and why. */
  readonly unavailable = new Map<string, Error>();
  readonly consumer: ConsumerDriver;
  /** Promises of the port that the driver broke. It survives what a hook throws: they are kept here. */
  readonly broken: string[] = [];
  memberCount = 0;
  lastCause: Error | undefined;
  /** What the engine would do before a rejoin. */
  whenRevoking: (owned: readonly OwnedTopicPartition[], deadlineMs: number) => Promise<void> = () =>
    Promise.resolve();
  whenRecords: (batch: RecordBatch) => void = () => undefined;

  constructor(
    driver: Pick<KafkaDriver, 'consumer'>,
    config: Partial<ConsumerConfig> & { groupId: string },
  ) {
    this.consumer = driver.consumer({
      topics: [],
      sessionTimeoutMs: 6000,
      rebalanceTimeoutMs: 10_000,
      heartbeatIntervalMs: 100,
      maxBytesPerPartition: 1024 * 1024,
      maxWaitTimeMs: 100,
      revokeDrainMs: 2000,
      metadataMaxAgeMs: 30_000,
      ...config,
    });
    onCleanup(async () => {
      await this.consumer.stop(5000);
      if (this.broken.length > 0) throw new Error(this.broken.join('\n'));
    });
  }

  async start(): Promise<this> {
    await this.consumer.start(this);
    return this;
  }

  onAssigned(gained: readonly OwnedTopicPartition[], kept: readonly OwnedTopicPartition[]): void {
    this.note('assigned', gained);
    this.note('kept', kept);
    for (const partition of gained) {
      const name = partitionName(partition);
      // A partition is told lost before it is gained again, and gains are told once.
      if (this.owned.has(name)) this.broken.push(`${name} was gained before it was lost`);
      this.owned.set(name, partition);
    }
    for (const partition of kept) {
      const name = partitionName(partition);
      if (this.owned.get(name)?.epoch !== partition.epoch) {
        this.broken.push(`${name} was kept in an epoch that it was not owned in`);
      }
    }
  }

  onLost(lost: readonly OwnedTopicPartition[]): void {
    this.note('lost', lost);
    for (const partition of lost) this.owned.delete(partitionName(partition));
  }

  onRecords(batch: RecordBatch): void {
    this.note('records', [batch]);
    this.batches.push(batch);
    this.whenRecords(batch);
  }

  async onRevoking(owned: readonly OwnedTopicPartition[], deadlineMs: number): Promise<void> {
    this.note('revoking', owned);
    await this.whenRevoking(owned, deadlineMs);
  }

  onState(state: ConsumerState, cause?: Error): void {
    this.states.push(state);
    this.lastCause = cause ?? this.lastCause;
  }

  onMembers(count: number): void {
    this.memberCount = count;
  }

  onOffsetOutOfRange(partition: { topic: string; partition: number }): void {
    this.note('out of range', [{ ...partition, epoch: 0 }]);
  }

  onFetchFailed(partition: { topic: string; partition: number }, error: Error): void {
    this.fetchFailures.push(error.message);
    this.note('fetch failed', [{ ...partition, epoch: 0 }]);
  }

  onTopicUnavailable(topic: string, error: Error): void {
    this.unavailable.set(topic, error);
  }

  onTopicAvailable(topic: string): void {
    this.unavailable.delete(topic);
  }

  /** Values of all records, as text, in the order of their arrival. */
  get values(): string[] {
    return this.batches.flatMap(({ records }) => records.map(({ value }) => String(value)));
  }

  /** Waits until it owns so many partitions. */
  async owns(count: number): Promise<void> {
    await eventually(() => this.owned.size === count, {
      timeoutMs: 15_000,
      message: `owning ${String(count)} partitions`,
    });
  }

  partition(name: string): OwnedTopicPartition {
    const partition = this.owned.get(name);
    if (partition === undefined) throw new Error(`${name} is not owned`);
    return partition;
  }

  private note(what: Told['what'], partitions: readonly OwnedTopicPartition[]): void {
    for (const partition of partitions) {
      this.told.push({ what, partition: partitionName(partition), epoch: partition.epoch });
    }
  }
}

export function textRecord(value: string, over: Partial<OutRecord> = {}): OutRecord {
  return {
    key: null,
    value: Buffer.from(value),
    headers: [],
    timestamp: 1_700_000_000_000,
    ...over,
  };
}

/** Sends records with a producer of its own. */
export async function produce(
  driver: KafkaDriver,
  topic: string,
  records: readonly OutRecord[],
): Promise<void> {
  const producer = driver.producer();
  try {
    await producer.send(topic, records);
  } finally {
    await producer.close();
  }
}
