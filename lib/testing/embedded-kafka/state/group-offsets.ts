import { KafkaProtocolError } from '../wire/kafka-error.js';

/** Kafka's default of `offset.metadata.max.bytes`. */
const MAX_METADATA_LENGTH = 4096;

/** The next offset to read, with the client's own note. */
export interface CommittedOffset {
  readonly offset: bigint;
  /** Empty where the client gave none. */
  readonly metadata: string;
}

export interface OffsetToCommit {
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
  readonly metadata: string | null;
}

interface Entry {
  readonly committed: CommittedOffset;
  /** Which of two entries of one partition is the later one. */
  readonly order: number;
}

interface StagedOffsets {
  readonly epoch: number;
  readonly offsets: PartitionMap<Entry>;
}

type PartitionMap<T> = Map<string, Map<number, T>>;

/** The offsets of one group: those committed, and those that wait for a transaction to end. */
export class GroupOffsets {
  readonly #committed: PartitionMap<Entry> = new Map();
  /** By producer id. */
  readonly #staged = new Map<bigint, StagedOffsets>();
  #order = 0;

  at(topic: string, partition: number): CommittedOffset | undefined {
    return this.#committed.get(topic)?.get(partition)?.committed;
  }

  /** What is committed now, by topic and partition. */
  snapshot(): ReadonlyMap<string, ReadonlyMap<number, CommittedOffset>> {
    const snapshot = new Map<string, Map<number, CommittedOffset>>();
    for (const [topic, partitions] of this.#committed) {
      const offsets = [...partitions].map(
        ([partition, { committed }]) => [partition, committed] as const,
      );
      snapshot.set(topic, new Map(offsets));
    }
    return snapshot;
  }

  /** @throws KafkaProtocolError OFFSET_METADATA_TOO_LARGE. */
  commit(offset: OffsetToCommit): void {
    put(this.#committed, offset, this.#entryOf(offset));
  }

  /**
   * Keeps offsets until the producer's transaction ends; an older epoch's are dropped for them.
   *
   * @throws KafkaProtocolError OFFSET_METADATA_TOO_LARGE, INVALID_PRODUCER_EPOCH; nothing is kept then.
   */
  stage(producerId: bigint, epoch: number, offsets: readonly OffsetToCommit[]): void {
    const entries = offsets.map((offset) => ({ offset, entry: this.#entryOf(offset) }));
    const staged = this.#stagedOf(producerId, epoch);
    for (const { offset, entry } of entries) put(staged, offset, entry);
  }

  /** Commits or drops what the producer's transaction staged. */
  endTransaction(producerId: bigint, committed: boolean): void {
    const staged = this.#staged.get(producerId);
    this.#staged.delete(producerId);
    if (staged === undefined || !committed) return;
    for (const [topic, partitions] of staged.offsets) {
      for (const [partition, entry] of partitions) this.#commitStaged(topic, partition, entry);
    }
  }

  forgetTopic(topic: string): void {
    this.#committed.delete(topic);
    for (const { offsets } of this.#staged.values()) offsets.delete(topic);
  }

  #stagedOf(producerId: bigint, epoch: number): PartitionMap<Entry> {
    const staged = this.#staged.get(producerId);
    if (staged?.epoch === epoch) return staged.offsets;
    if (staged !== undefined && staged.epoch > epoch) {
      throw new KafkaProtocolError('INVALID_PRODUCER_EPOCH');
    }
    const offsets: PartitionMap<Entry> = new Map();
    this.#staged.set(producerId, { epoch, offsets });
    return offsets;
  }

  /** As in Kafka, a plain commit made after the staging wins over what was staged. */
  #commitStaged(topic: string, partition: number, entry: Entry): void {
    const present = this.#committed.get(topic)?.get(partition);
    if (present !== undefined && present.order > entry.order) return;
    put(this.#committed, { topic, partition }, entry);
  }

  #entryOf({ offset, metadata }: OffsetToCommit): Entry {
    if (metadata !== null && metadata.length > MAX_METADATA_LENGTH) {
      throw new KafkaProtocolError('OFFSET_METADATA_TOO_LARGE');
    }
    return { committed: { offset, metadata: metadata ?? '' }, order: this.#order++ };
  }
}

function put<T>(
  map: PartitionMap<T>,
  { topic, partition }: { readonly topic: string; readonly partition: number },
  value: T,
): void {
  const partitions = map.get(topic) ?? new Map<number, T>();
  map.set(topic, partitions.set(partition, value));
}
