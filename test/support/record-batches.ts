import { gzipSync } from 'node:zlib';
import {
  RecordBatch,
  type BatchHeader,
} from '../../lib/testing/embedded-kafka/wire/record-batch.js';

export interface BatchOptions extends Partial<
  Pick<BatchHeader, 'producerId' | 'producerEpoch' | 'baseSequence'>
> {
  readonly transactional?: boolean;
  readonly gzip?: boolean;
  /** Of each record, in ms. @default one record, at 0 */
  readonly times?: readonly number[];
  readonly valueBytes?: number;
}

/** A batch as a producer sends it. */
export function producedBatch(options: BatchOptions = {}): RecordBatch {
  const { times = [0], gzip = false, transactional = false, valueBytes = 1 } = options;
  const baseTime = times[0] ?? 0;
  const records = Buffer.concat(
    times.map((time, index) => encodedRecord(time - baseTime, index, Buffer.alloc(valueBytes))),
  );
  return RecordBatch.of(
    {
      attributes: (gzip ? 1 : 0) | (transactional ? 0x10 : 0),
      recordCount: times.length,
      baseTimestamp: BigInt(baseTime),
      maxTimestamp: BigInt(Math.max(0, ...times)),
      producerId: options.producerId ?? -1n,
      producerEpoch: options.producerEpoch ?? 0,
      baseSequence: options.baseSequence ?? 0,
    },
    gzip ? gzipSync(records) : records,
  );
}

/** A batch of that many records. */
export function batchOfRecords(count: number, options: BatchOptions = {}): RecordBatch {
  return producedBatch({ ...options, times: Array.from({ length: count }, () => 0) });
}

function encodedRecord(timeDelta: number, offsetDelta: number, value: Buffer): Buffer {
  const body = Buffer.concat([
    Buffer.of(0), // attributes
    varint(timeDelta),
    varint(offsetDelta),
    varint(-1), // no key
    varint(value.length),
    value,
    varint(0), // no headers
  ]);
  return Buffer.concat([varint(body.length), body]);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value < 0 ? -2 * value - 1 : 2 * value;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) + 0x80);
  return Buffer.from([...bytes, rest]);
}
