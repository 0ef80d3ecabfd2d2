import type { OutRecord, RecordBatch, TopicPartition } from './records.js';

/**
 * The driver port: what the engine asks of a Kafka client, and nothing else.
 *
 * The engine owns concurrency, retries, claims and offsets; a driver owns sockets, membership and
 * liveness. Errors that leave a driver are `DriverError`s.
 */
export interface KafkaDriver {
  readonly name: string;
  /** A consumer of its own; consumers of one driver share nothing that one could break. */
  consumer(config: ConsumerConfig): ConsumerDriver;
  /** A producer for one failure domain; the caller discards it after any failed send. */
  producer(): ProducerDriver;
  admin(): AdminDriver;
}

/** Where a driver writes what operators may want to read; never a secret. */
export type DriverLog = (
  level: 'debug' | 'info' | 'warn' | 'error',
  message: string,
  detail?: Record<string, unknown>,
) => void;

export interface ConsumerConfig {
  readonly groupId: string;
  readonly topics: readonly string[];
  readonly sessionTimeoutMs: number;
  readonly rebalanceTimeoutMs: number;
  readonly heartbeatIntervalMs: number;
  readonly maxBytesPerPartition: number;
  readonly maxWaitTimeMs: number;
  /** How soon new partitions and topics are noticed, at the latest. */
  readonly metadataMaxAgeMs: number;
  /** How long `onRevoking` may hold a rejoin back; the driver goes on without it afterwards. */
  readonly revokeDrainMs: number;
}

export type ConsumerState =
  'joining' | 'running' | 'rebalancing' | 'restarting' | 'failed' | 'stopped';

/** An owned partition and the epoch of that ownership. */
export interface OwnedTopicPartition extends TopicPartition {
  /** Grows each time the partition is gained; kept through a rebalance that left it with us. */
  readonly epoch: number;
}

/** What the driver calls. None of these may throw; `onRecords` must not block either. */
export interface ConsumerHooks {
  /** Partitions gained, before their first record. Partitions kept through a rebalance are in `kept`. */
  onAssigned(gained: readonly OwnedTopicPartition[], kept: readonly OwnedTopicPartition[]): void;
  /** Records to handle: the driver's fetch position is already past them. */
  onRecords(batch: RecordBatch): void;
  /**
   * Awaited before every rejoin, for everything owned: finish, commit, then resolve. Commits are
   * still accepted inside. Afterwards each partition is either kept (`onAssigned`) or lost (`onLost`).
   */
  onRevoking(owned: readonly OwnedTopicPartition[], deadlineMs: number): Promise<void>;
  /** Partitions already gone: commits for them are refused. */
  onLost(lost: readonly OwnedTopicPartition[]): void;
  onState(state: ConsumerState, cause?: Error): void;
  /** The group's members as its leader sees them; called only on the leader, at each rebalance. */
  onMembers(count: number): void;
  /**
   * The broker no longer holds the position we wanted to read from: records were deleted before we
   * read them, or the topic was made anew. The partition is held there until it is assigned anew:
   * going on from the earliest record could repeat all that the log holds, from the latest skip it.
   */
  onOffsetOutOfRange(partition: TopicPartition): void;
  /**
   * This partition's records are refused, cannot be read, or nobody leads it; others go on, and it is
   * asked for again every few seconds.
   */
  onFetchFailed(partition: TopicPartition, error: Error): void;
  /**
   * A topic does not exist or is not ours to see: none of its partitions is assigned, others go on.
   * Told once, and again only after `onTopicAvailable`.
   */
  onTopicUnavailable(topic: string, error: Error): void;
  /** It is there again; its partitions follow with the next assignment. */
  onTopicAvailable(topic: string): void;
}

export interface CommitItem extends OwnedTopicPartition {
  /** The next offset to read. */
  readonly offset: bigint;
}

export interface ConsumerDriver {
  /** Joins and consumes; resolves at the first assignment, rejects when the first join fails for good. */
  start(hooks: ConsumerHooks): Promise<void>;
  pause(partition: TopicPartition): void;
  resume(partition: TopicPartition): void;
  /**
   * Commits what is still owned under its epoch and answers what was sent. Items of a stale epoch
   * are left out. Callers keep one commit in flight.
   * @throws DriverError when the broker did not accept it.
   */
  commit(items: readonly CommitItem[]): Promise<readonly CommitItem[]>;
  /** Stops fetching at once; records are no longer delivered, membership and commits still work. */
  quiesce(): void;
  /** Leaves the group and disconnects within `deadlineMs`; always resolves. */
  stop(deadlineMs: number): Promise<void>;
}

/** Where one record of a send ended up. */
export interface RecordPosition {
  readonly partition: number;
  /** Absent when the broker did not say (duplicates of an idempotent producer). */
  readonly offset: bigint | null;
}

/**
 * One failure domain: an idempotent producer used for one topic, one send outstanding.
 *
 * After any rejected send the caller must `close` it and ask for a new one: a client that reuses
 * its sequence numbers after a timeout can have another record acknowledged in place of this one.
 */
export interface ProducerDriver {
  /** Sends to one topic with acks −1 and gzip; all records are acknowledged, or it rejects. */
  send(topic: string, records: readonly OutRecord[]): Promise<readonly RecordPosition[]>;
  /** Always resolves. */
  close(): Promise<void>;
}

export interface TopicSpec {
  readonly topic: string;
  readonly partitions: number;
  readonly config?: Readonly<Record<string, string>>;
}

export interface TopicDescription {
  readonly topic: string;
  readonly partitions: number;
  /** The topic's `max.message.bytes`; null when the broker does not let us read it. */
  readonly maxMessageBytes: number | null;
}

/** A partition's log, and where a group is in it. */
export interface PartitionOffsets {
  readonly partition: number;
  /** Of the oldest record that is still there. */
  readonly start: bigint;
  /** One past the newest record. */
  readonly end: bigint;
  /** The next offset that the group would read; null where it has committed none. */
  readonly committed: bigint | null;
}

export interface TopicLag {
  readonly topic: string;
  readonly partitions: readonly PartitionOffsets[];
}

export interface GroupLag {
  /** 0 where there is no such group, or nobody in it. */
  readonly members: number;
  /** Those of the topics that exist. */
  readonly topics: readonly TopicLag[];
}

export interface AdminDriver {
  /** Describes those of the topics that exist; one missing topic does not fail the others. */
  describeTopics(topics: readonly string[]): Promise<readonly TopicDescription[]>;
  /** Creates topics; one that exists already is left as it is. */
  createTopics(specs: readonly TopicSpec[]): Promise<void>;
  /** How far a group is in these topics; nothing is changed, whether or not the group exists. */
  groupLag(groupId: string, topics: readonly string[]): Promise<GroupLag>;
  close(): Promise<void>;
}
