import type {
  CommitItem,
  ConsumerDriver,
  ConsumerHooks,
  OwnedTopicPartition,
} from '../../lib/kafka/driver.js';
import {
  partitionName,
  sizeOfRecord,
  type InRecord,
  type TopicPartition,
  type WireHeaders,
} from '../../lib/kafka/records.js';

/** What a record is made of; the rest follows. */
export interface RecordContent {
  readonly offset: bigint;
  readonly timestamp: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: WireHeaders;
}

/** A record as a driver would hand it over. */
export function inRecord(content: Partial<RecordContent>): InRecord {
  const record = { offset: 0n, timestamp: 0, key: null, value: null, headers: [], ...content };
  return {
    ...record,
    bytes: sizeOfRecord(record),
    lastHeader: (name) => record.headers.findLast(([each]) => each === name)?.[1],
  };
}

/**
 * A model of one partition's log and of the broker's committed offset, for tests of the engine that
 * need faults at exact moments. Offsets may have gaps, as compaction leaves them.
 */
export class ModelPartition implements TopicPartition {
  readonly log: InRecord[] = [];
  /** What the broker has; null before the first commit. */
  committed: bigint | null = null;
  /** Every commit that was accepted, in order. */
  readonly commits: bigint[] = [];
  endOffset = 0n;

  constructor(
    readonly topic: string,
    readonly partition: number,
  ) {}

  append(record: Partial<RecordContent>, gapAfter = 0): InRecord {
    const appended = inRecord({ value: Buffer.from('{}'), ...record, offset: this.endOffset });
    this.log.push(appended);
    this.endOffset += 1n + BigInt(gapAfter);
    return appended;
  }
}

/**
 * A consumer of model partitions that does what its test says: fetches, rebalances and refused
 * commits happen when called for, in the order that `ConsumerHooks` promises.
 */
export class ModelConsumer implements ConsumerDriver {
  readonly paused = new Set<string>();
  /** Set to have commits refused, as a broker that is away or has fenced us would. */
  refuseCommits: Error | null = null;
  stopped = false;
  quiesced = false;
  #hooks: ConsumerHooks | null = null;
  #epoch = 0;
  readonly #owned = new Map<string, OwnedTopicPartition>();
  readonly #position = new Map<string, bigint>();

  constructor(private readonly partitions: readonly ModelPartition[]) {}

  get owned(): readonly OwnedTopicPartition[] {
    return [...this.#owned.values()];
  }

  start(hooks: ConsumerHooks): Promise<void> {
    this.#hooks = hooks;
    this.#join(this.partitions);
    hooks.onState('running');
    return Promise.resolve();
  }

  pause(partition: TopicPartition): void {
    this.paused.add(partitionName(partition));
  }
  resume(partition: TopicPartition): void {
    this.paused.delete(partitionName(partition));
  }

  async commit(items: readonly CommitItem[]): Promise<readonly CommitItem[]> {
    await Promise.resolve();
    if (this.refuseCommits !== null) throw this.refuseCommits;
    const accepted = items.filter(
      (item) => this.#owned.get(partitionName(item))?.epoch === item.epoch,
    );
    for (const item of accepted) {
      const partition = this.#partition(item);
      partition.committed = item.offset;
      partition.commits.push(item.offset);
    }
    return accepted;
  }

  quiesce(): void {
    this.quiesced = true;
  }

  stop(): Promise<void> {
    this.stopped = true;
    return Promise.resolve();
  }

  /** Hands over the next records of a partition; answers how many there were. */
  fetch(partition: ModelPartition, max = Number.POSITIVE_INFINITY): number {
    const name = partitionName(partition);
    const owned = this.#owned.get(name);
    if (owned === undefined || this.quiesced || this.paused.has(name)) return 0;
    const from = this.#position.get(name) ?? 0n;
    const available = partition.log.filter(({ offset }) => offset >= from);
    const records = available.slice(0, max);
    if (records.length === 0) return 0;
    const nextOffset = available[records.length]?.offset ?? partition.endOffset;
    this.#position.set(name, nextOffset);
    const { topic, partition: number } = partition;
    const highWatermark = partition.endOffset;
    this.hooks.onRecords({
      topic,
      partition: number,
      epoch: owned.epoch,
      records,
      nextOffset,
      highWatermark,
    });
    return records.length;
  }

  /** A rebalance after which we own these, as a client goes through it: drain, join, kept and gained. */
  async rebalance(next: readonly ModelPartition[], deadlineMs = 1_000): Promise<void> {
    await this.hooks.onRevoking(this.owned, deadlineMs);
    this.#join(next);
  }

  /** The session expired: everything is lost before we hear of it; then we own these again. */
  evict(next: readonly ModelPartition[]): void {
    const lost = this.owned;
    this.#owned.clear();
    this.hooks.onLost(lost);
    this.#join(next);
  }

  get hooks(): ConsumerHooks {
    if (this.#hooks === null) throw new Error('the consumer was not started');
    return this.#hooks;
  }

  #join(next: readonly ModelPartition[]): void {
    const names = new Set(next.map(partitionName));
    const lost = this.owned.filter((owned) => !names.has(partitionName(owned)));
    for (const owned of lost) this.#owned.delete(partitionName(owned));
    if (lost.length > 0) this.hooks.onLost(lost);
    const kept = this.owned;
    const gained = next
      .filter((partition) => !this.#owned.has(partitionName(partition)))
      .map(({ topic, partition }) => ({ topic, partition, epoch: ++this.#epoch }));
    for (const owned of gained) {
      this.#owned.set(partitionName(owned), owned);
      this.paused.delete(partitionName(owned));
    }
    // Every join starts again from the committed offset, for kept partitions too.
    for (const partition of next) {
      this.#position.set(partitionName(partition), partition.committed ?? 0n);
    }
    this.hooks.onAssigned(gained, kept);
  }

  #partition(wanted: TopicPartition): ModelPartition {
    const name = partitionName(wanted);
    const found = this.partitions.find((partition) => partitionName(partition) === name);
    if (found === undefined) throw new Error(`no such partition: ${name}`);
    return found;
  }
}
