/** One partition of one topic. */
export interface TopicPartition {
  readonly topic: string;
  readonly partition: number;
}

/** Where an event stands that was not read from Kafka: nowhere. */
export const NO_PARTITION = -1;
export const NO_OFFSET = -1n;

/** Record headers as the wire has them: ordered, repeatable, values may be null. */
export type WireHeaders = readonly (readonly [name: string, value: Buffer | null])[];

/** A record as it came from the broker, bytes untouched. */
export interface InRecord {
  readonly offset: bigint;
  /** Milliseconds since the Unix epoch. */
  readonly timestamp: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  /** May be put together at each call: for one header use `lastHeader`. */
  readonly headers: WireHeaders;
  /** What counts against every bound: key, value and headers, uncompressed. */
  readonly bytes: number;
  /** The last value of a header by that name; undefined where there is none. */
  lastHeader(name: string): Buffer | null | undefined;
}

/** Records of one partition, in offset order, fetched under one ownership of it. */
export interface RecordBatch extends TopicPartition {
  /** The ownership they were fetched under; see `ConsumerHooks.onAssigned`. */
  readonly epoch: number;
  readonly records: readonly InRecord[];
  /**
   * Where the next fetch starts: at least one past the last record, further where compaction,
   * control records or aborted transactions left a gap.
   */
  readonly nextOffset: bigint;
  /** The partition's high watermark when it was fetched. */
  readonly highWatermark: bigint;
}

/** A record on its way to the broker. */
export interface OutRecord {
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: WireHeaders;
  /** Milliseconds since the Unix epoch. */
  readonly timestamp: number;
  /** Chosen by the partitioner from the key when absent. */
  readonly partition?: number;
}

/** Bytes of a record as they count against every bound: key, value and headers, uncompressed. */
export function sizeOfRecord(record: Pick<OutRecord, 'key' | 'value' | 'headers'>): number {
  let bytes = (record.key?.length ?? 0) + (record.value?.length ?? 0);
  for (const [name, value] of record.headers) bytes += name.length + (value?.length ?? 0);
  return bytes;
}

/** The name of a partition in maps and messages: `topic[3]`. */
export function partitionName({ topic, partition }: TopicPartition): string {
  return `${topic}[${String(partition)}]`;
}
