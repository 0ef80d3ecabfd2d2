import { crc32c } from './crc32c.js';
import { KafkaProtocolError } from './kafka-error.js';

/** Where each field of a batch's header begins. */
const AT = {
  baseOffset: 0,
  length: 8,
  leaderEpoch: 12,
  magic: 16,
  crc: 17,
  attributes: 21,
  lastOffsetDelta: 23,
  baseTimestamp: 27,
  maxTimestamp: 35,
  producerId: 43,
  producerEpoch: 51,
  baseSequence: 53,
  recordCount: 57,
} as const;

/** Bytes of a batch before its first record. */
const BATCH_HEADER_BYTES = 61;
/** Base offset and length come before what the length counts. */
const LENGTH_COUNTS_FROM = 12;
const MAGIC = 2;

const LOG_APPEND_TIME = 0x08;
const TRANSACTIONAL = 0x10;
const CONTROL = 0x20;
const MAX_SEQUENCE = 0x7fffffff;

/** A producer as its batches name it: the epoch tells its incarnations apart. */
export interface ProducerIdentity {
  /** -1 where the producer is not idempotent. */
  readonly producerId: bigint;
  readonly producerEpoch: number;
}

/** What a batch says before its records. */
export interface BatchHeader extends ProducerIdentity {
  readonly attributes: number;
  readonly recordCount: number;
  readonly baseTimestamp: bigint;
  readonly maxTimestamp: bigint;
  readonly baseSequence: number;
}

/**
 * A record batch of format 2 as the bytes that came in; its records stay encoded and compressed.
 *
 * @see https://kafka.apache.org/documentation/#recordbatch
 */
export class RecordBatch implements BatchHeader {
  private constructor(readonly bytes: Buffer) {}

  /**
   * Reads the one batch that these bytes are.
   *
   * @throws KafkaProtocolError INVALID_RECORD when they are none, several, or of an older format;
   *   CORRUPT_MESSAGE when they are cut short.
   */
  static parse(bytes: Buffer): RecordBatch {
    if (bytes.length <= AT.magic) throw new KafkaProtocolError('INVALID_RECORD', 'no batch');
    const magic = bytes.readInt8(AT.magic);
    if (magic !== MAGIC) throw new KafkaProtocolError('INVALID_RECORD', `magic ${String(magic)}`);
    const size = LENGTH_COUNTS_FROM + bytes.readInt32BE(AT.length);
    if (size < BATCH_HEADER_BYTES || size > bytes.length) {
      throw new KafkaProtocolError('CORRUPT_MESSAGE', `a batch of ${String(size)} bytes`);
    }
    if (size < bytes.length) throw new KafkaProtocolError('INVALID_RECORD', 'several batches');
    return new RecordBatch(bytes);
  }

  /** Makes a batch, at offset 0, of records that are already encoded. */
  static of(header: BatchHeader, records: Buffer): RecordBatch {
    const bytes = Buffer.alloc(BATCH_HEADER_BYTES + records.length);
    bytes.writeInt32BE(bytes.length - LENGTH_COUNTS_FROM, AT.length);
    bytes.writeInt8(MAGIC, AT.magic);
    bytes.writeInt16BE(header.attributes, AT.attributes);
    bytes.writeInt32BE(header.recordCount - 1, AT.lastOffsetDelta);
    bytes.writeBigInt64BE(header.baseTimestamp, AT.baseTimestamp);
    bytes.writeBigInt64BE(header.maxTimestamp, AT.maxTimestamp);
    bytes.writeBigInt64BE(header.producerId, AT.producerId);
    bytes.writeInt16BE(header.producerEpoch, AT.producerEpoch);
    bytes.writeInt32BE(header.baseSequence, AT.baseSequence);
    bytes.writeInt32BE(header.recordCount, AT.recordCount);
    records.copy(bytes, BATCH_HEADER_BYTES);
    const batch = new RecordBatch(bytes);
    batch.#seal();
    return batch;
  }

  get baseOffset(): bigint {
    return this.bytes.readBigInt64BE(AT.baseOffset);
  }
  get lastOffset(): bigint {
    return this.baseOffset + BigInt(this.lastOffsetDelta);
  }
  get lastOffsetDelta(): number {
    return this.bytes.readInt32BE(AT.lastOffsetDelta);
  }
  get leaderEpoch(): number {
    return this.bytes.readInt32BE(AT.leaderEpoch);
  }
  get attributes(): number {
    return this.bytes.readInt16BE(AT.attributes);
  }
  get baseTimestamp(): bigint {
    return this.bytes.readBigInt64BE(AT.baseTimestamp);
  }
  get maxTimestamp(): bigint {
    return this.bytes.readBigInt64BE(AT.maxTimestamp);
  }
  get producerId(): bigint {
    return this.bytes.readBigInt64BE(AT.producerId);
  }
  get producerEpoch(): number {
    return this.bytes.readInt16BE(AT.producerEpoch);
  }
  get baseSequence(): number {
    return this.bytes.readInt32BE(AT.baseSequence);
  }
  get lastSequence(): number {
    // Sequences begin again at 0 after the largest int32.
    return (this.baseSequence + this.lastOffsetDelta) & MAX_SEQUENCE;
  }
  get recordCount(): number {
    return this.bytes.readInt32BE(AT.recordCount);
  }
  get records(): Buffer {
    return this.bytes.subarray(BATCH_HEADER_BYTES);
  }

  /** 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd. */
  get compression(): number {
    return this.attributes & 0x07;
  }
  get isTimedByLog(): boolean {
    return (this.attributes & LOG_APPEND_TIME) !== 0;
  }
  /** -1 where the records keep their producer's time. */
  get logAppendTime(): bigint {
    return this.isTimedByLog ? this.maxTimestamp : -1n;
  }
  get isTransactional(): boolean {
    return (this.attributes & TRANSACTIONAL) !== 0;
  }
  get isControl(): boolean {
    return (this.attributes & CONTROL) !== 0;
  }
  get isIntact(): boolean {
    return this.bytes.readUInt32BE(AT.crc) === this.#checksum();
  }

  /** A copy with its place in the log; nothing that the checksum covers is touched. */
  at(baseOffset: bigint, leaderEpoch: number): RecordBatch {
    // Not from Buffer's pool: a batch that stays would keep the short-lived ones around it in memory.
    const bytes = Buffer.allocUnsafeSlow(this.bytes.length);
    this.bytes.copy(bytes);
    bytes.writeBigInt64BE(baseOffset, AT.baseOffset);
    bytes.writeInt32BE(leaderEpoch, AT.leaderEpoch);
    return new RecordBatch(bytes);
  }

  /** A copy whose records all carry the time at which the log took them. */
  timedByLog(timestamp: bigint): RecordBatch {
    const batch = new RecordBatch(Buffer.from(this.bytes));
    batch.bytes.writeInt16BE(this.attributes | LOG_APPEND_TIME, AT.attributes);
    batch.bytes.writeBigInt64BE(timestamp, AT.maxTimestamp);
    batch.#seal();
    return batch;
  }

  #seal(): void {
    this.bytes.writeUInt32BE(this.#checksum(), AT.crc);
  }

  #checksum(): number {
    return crc32c(this.bytes.subarray(AT.attributes));
  }
}
