import { gunzipSync } from 'node:zlib';
import type { RecordBatch } from './record-batch.js';

const NONE = 0;
const GZIP = 1;
/** Inflated records that are longer than any broker would take. */
const MAX_INFLATED_BYTES = 256 * 1024 * 1024;

/** When a record was made. */
export interface RecordTime {
  readonly offset: bigint;
  readonly timestamp: bigint;
}

/**
 * The records of a batch with their times. A batch that cannot be opened here (snappy, lz4, zstd,
 * bytes that are no records) counts as one record, at its first offset: an answer that is too early
 * loses nothing.
 */
export function recordTimes(batch: RecordBatch): RecordTime[] {
  const whole = [{ offset: batch.baseOffset, timestamp: batch.maxTimestamp }];
  if (batch.isTimedByLog) return whole;
  try {
    return timesIn(batch, inflated(batch));
  } catch {
    return whole;
  }
}

function timesIn(batch: RecordBatch, records: Buffer): RecordTime[] {
  const { baseOffset, baseTimestamp } = batch;
  const times: RecordTime[] = [];
  const cursor = { bytes: records, at: 0 };
  while (cursor.at < records.length) {
    const length = Number(zigzag(cursor));
    if (length < 1) throw new RangeError('a record without bytes');
    const end = cursor.at + length;
    cursor.at++; // attributes
    const timestamp = baseTimestamp + zigzag(cursor);
    times.push({ timestamp, offset: baseOffset + zigzag(cursor) });
    cursor.at = end;
  }
  return times;
}

function inflated(batch: RecordBatch): Buffer {
  if (batch.compression === NONE) return batch.records;
  if (batch.compression !== GZIP) throw new RangeError('a codec that is not opened here');
  return gunzipSync(batch.records, { maxOutputLength: MAX_INFLATED_BYTES });
}

/** @see https://protobuf.dev/programming-guides/encoding/#signed-ints */
function zigzag(cursor: { readonly bytes: Buffer; at: number }): bigint {
  let value = 0n;
  for (let shift = 0n; ; shift += 7n) {
    const byte = cursor.bytes.readUInt8(cursor.at++);
    value |= BigInt(byte & 0x7f) << shift;
    if (byte < 0x80) return (value >> 1n) ^ -(value & 1n);
  }
}
