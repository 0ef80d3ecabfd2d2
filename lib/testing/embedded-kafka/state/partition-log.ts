import type { Clock } from '../../../contracts/clock.js';
import { KafkaProtocolError } from '../wire/kafka-error.js';
import type { ProducerIdentity, RecordBatch } from '../wire/record-batch.js';
import { recordTimes, type RecordTime } from '../wire/record-times.js';
import { transactionMarker } from '../wire/transaction-marker.js';
import { ProducerStates, type AbortedTransaction, type StoredBatch } from './producer-states.js';

/** Kafka's `max.message.bytes` where a topic sets none. */
const DEFAULT_MAX_BATCH_BYTES = 1_048_588;

export interface PartitionLogOptions {
  readonly clock: Clock;
  /**
   * The topic's; looked up at every use. Honoured: `max.message.bytes`, `message.timestamp.type`,
   * `retention.bytes`.
   */
  readonly configs: ReadonlyMap<string, string>;
}

export interface Appended extends StoredBatch {
  /** Whether the batch was in the log already. */
  readonly duplicate: boolean;
}

export type IsolationLevel = 'READ_UNCOMMITTED' | 'READ_COMMITTED';

export interface ReadOptions {
  readonly maxBytes: number;
  readonly isolation: IsolationLevel;
  /** Whether the first batch is answered even if it is larger than `maxBytes`. Default true. */
  readonly atLeastOne?: boolean;
}

export interface ReadResult {
  /** Whole batches; the first may begin below the offset that was asked for. */
  readonly batches: readonly Buffer[];
  /** Empty when uncommitted records are read. */
  readonly abortedTransactions: readonly AbortedTransaction[];
}

/** The records of one partition, as the batches that producers sent. */
export class PartitionLog {
  #batches: RecordBatch[] = [];
  #bytes = 0;
  #logStart = 0n;
  #highWatermark = 0n;
  #producers = new ProducerStates();
  readonly #listeners = new Set<() => void>();

  constructor(private readonly options: PartitionLogOptions) {}

  /** The first offset that can be read. */
  get logStart(): bigint {
    return this.#logStart;
  }

  /** The offset of the next record. */
  get highWatermark(): bigint {
    return this.#highWatermark;
  }

  /** Where readers of committed records stop: the first record of the oldest open transaction. */
  get lastStableOffset(): bigint {
    const open = this.#producers.firstOpenOffset ?? this.#highWatermark;
    return open < this.#logStart ? this.#logStart : open;
  }

  /**
   * Stores one batch of a producer, or recognises it as stored before.
   *
   * @throws KafkaProtocolError INVALID_RECORD, CORRUPT_MESSAGE, MESSAGE_TOO_LARGE,
   *   INVALID_PRODUCER_EPOCH, OUT_OF_ORDER_SEQUENCE_NUMBER or INVALID_TXN_STATE.
   */
  append(batch: RecordBatch, leaderEpoch: number): Appended {
    this.#validate(batch);
    const stored = this.#producers.duplicateOf(batch);
    if (stored !== undefined) return { ...stored, duplicate: true };
    this.#producers.check(batch);
    const { baseOffset, logAppendTime } = this.#store(this.#timed(batch), leaderEpoch);
    return { baseOffset, logAppendTime, duplicate: false };
  }

  /** Ends a producer's transaction here. */
  endTransaction(producer: ProducerIdentity, committed: boolean, leaderEpoch: number): void {
    this.#store(transactionMarker(producer, committed, this.#wallTime()), leaderEpoch);
  }

  /** @throws KafkaProtocolError OFFSET_OUT_OF_RANGE. */
  read(offset: bigint, { maxBytes, isolation, atLeastOne = true }: ReadOptions): ReadResult {
    if (offset < this.#logStart || offset > this.#highWatermark) {
      throw new KafkaProtocolError('OFFSET_OUT_OF_RANGE', String(offset));
    }
    const committedOnly = isolation === 'READ_COMMITTED';
    const end = committedOnly ? this.lastStableOffset : this.#highWatermark;
    const read = this.#batchesIn(offset, end, maxBytes, atLeastOne);
    const last = read.at(-1);
    return {
      batches: read.map(({ bytes }) => bytes),
      abortedTransactions:
        committedOnly && last !== undefined
          ? this.#producers.abortedBetween(offset, last.lastOffset + 1n)
          : [],
    };
  }

  /** The first record made at that time or later. */
  offsetForTimestamp(timestamp: bigint): RecordTime | undefined {
    for (const batch of this.#batches) {
      if (batch.maxTimestamp < timestamp) continue;
      const found = recordTimes(batch).find(
        (record) => record.timestamp >= timestamp && record.offset >= this.#logStart,
      );
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /**
   * Loses the records from an offset on, as a leader elected uncleanly does; a batch that contains
   * the offset is lost whole.
   */
  truncateTo(offset: bigint): void {
    const kept = this.#batches.slice(0, this.#indexOf(offset));
    const end = kept.at(-1);
    this.#batches = kept;
    this.#bytes = kept.reduce((sum, { bytes }) => sum + bytes.length, 0);
    this.#highWatermark = end === undefined ? this.#logStart : end.lastOffset + 1n;
    this.#producers = new ProducerStates();
    for (const batch of kept) this.#producers.appended(batch);
    this.wake();
  }

  /**
   * Moves the log's start forward; never back.
   *
   * @throws KafkaProtocolError OFFSET_OUT_OF_RANGE past the high watermark.
   */
  deleteBefore(offset: bigint): void {
    if (offset > this.#highWatermark || offset < 0n) {
      throw new KafkaProtocolError('OFFSET_OUT_OF_RANGE', String(offset));
    }
    if (offset <= this.#logStart) return;
    this.#logStart = offset;
    for (const { bytes } of this.#batches.splice(0, this.#indexOf(offset))) {
      this.#bytes -= bytes.length;
    }
    this.#producers.deletedBefore(offset);
  }

  /** Calls back whenever a reader should look again. The answer unsubscribes. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  /** Makes every reader look again. */
  wake(): void {
    for (const listener of [...this.#listeners]) listener();
  }

  #validate(batch: RecordBatch): void {
    if (batch.baseOffset !== 0n) {
      throw new KafkaProtocolError('INVALID_RECORD', 'its base offset is not 0');
    }
    if (batch.bytes.length > this.#config('max.message.bytes', DEFAULT_MAX_BATCH_BYTES)) {
      throw new KafkaProtocolError('MESSAGE_TOO_LARGE', `${String(batch.bytes.length)} bytes`);
    }
    if (!batch.isIntact) throw new KafkaProtocolError('CORRUPT_MESSAGE', 'its checksum differs');
    if (batch.recordCount < 1 || batch.recordCount !== batch.lastOffsetDelta + 1) {
      throw new KafkaProtocolError('INVALID_RECORD', `${String(batch.recordCount)} records`);
    }
    if (batch.isControl) throw new KafkaProtocolError('INVALID_RECORD', 'a control batch');
    if (batch.producerId >= 0n && batch.baseSequence < 0) {
      throw new KafkaProtocolError('INVALID_RECORD', 'an idempotent producer without sequence');
    }
  }

  #timed(batch: RecordBatch): RecordBatch {
    return this.options.configs.get('message.timestamp.type') === 'LogAppendTime'
      ? batch.timedByLog(this.#wallTime())
      : batch;
  }

  /** Milliseconds since the Unix epoch. */
  #wallTime(): bigint {
    return BigInt(this.options.clock.wallTime().getTime());
  }

  #store(batch: RecordBatch, leaderEpoch: number): RecordBatch {
    const stored = batch.at(this.#highWatermark, leaderEpoch);
    this.#batches.push(stored);
    this.#bytes += stored.bytes.length;
    this.#highWatermark = stored.lastOffset + 1n;
    this.#producers.appended(stored);
    this.#retain();
    this.wake();
    return stored;
  }

  /** Kafka keeps at least the limit: it deletes what it can without falling below it. */
  #retain(): void {
    const limit = this.#config('retention.bytes', -1);
    if (limit < 0) return;
    let bytes = this.#bytes;
    let kept = 0;
    for (const batch of this.#batches) {
      bytes -= batch.bytes.length;
      if (bytes < limit) break;
      kept++;
    }
    const first = this.#batches[kept];
    if (first !== undefined) this.deleteBefore(first.baseOffset);
  }

  #config(name: string, otherwise: number): number {
    const value = this.options.configs.get(name);
    return value === undefined ? otherwise : Number(value);
  }

  #batchesIn(
    offset: bigint,
    end: bigint,
    maxBytes: number,
    atLeastOne: boolean,
  ): readonly RecordBatch[] {
    const from = this.#indexOf(offset);
    let bytes = 0;
    let to = from;
    for (; to < this.#batches.length; to++) {
      const batch = this.#batches[to];
      if (batch === undefined || batch.baseOffset >= end) break;
      bytes += batch.bytes.length;
      if (bytes > maxBytes && !(atLeastOne && to === from)) break;
    }
    return this.#batches.slice(from, to);
  }

  /** The index of the batch that contains an offset; past the last one where none does. */
  #indexOf(offset: bigint): number {
    let low = 0;
    let high = this.#batches.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const batch = this.#batches[middle];
      if (batch !== undefined && batch.lastOffset < offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
