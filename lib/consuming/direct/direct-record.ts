import { NO_OFFSET, sizeOfRecord, type InRecord, type WireHeaders } from '../../kafka/records.js';

/** An event on its way past Kafka: the record that its publisher writes there as well, sooner or later. */
export interface DirectRecord {
  /** The physical topic it belongs to. */
  readonly topic: string;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: WireHeaders;
  /** Milliseconds since the Unix epoch. */
  readonly timestamp: number;
}

/** The record as the steps of the engine take it. */
export function toInRecord({ key, value, headers, timestamp }: DirectRecord): InRecord {
  return {
    offset: NO_OFFSET,
    timestamp,
    key,
    value,
    headers,
    bytes: sizeOfRecord({ key, value, headers }),
    lastHeader: (name) => headers.findLast(([each]) => each === name)?.[1],
  };
}
