import type { InRecord, OutRecord } from '../kafka/records.js';
import { sizeOfRecord } from '../kafka/records.js';

/** A sent record as consumers get it. */
export function inRecordOf(record: OutRecord, offset: bigint): InRecord {
  const { headers } = record;
  return {
    ...record,
    offset,
    bytes: sizeOfRecord(record),
    lastHeader: (name) => headers.findLast(([each]) => each === name)?.[1],
  };
}
