import type { EventEnvelope } from '../contracts/event-envelope.js';
import type { ParkedRecord } from '../failure/parked-record.js';
import type { InRecord, TopicPartition } from '../kafka/records.js';
import type { RecordRef } from '../observability/observer.js';
import type { ConsumedRecord } from './consumed-record.js';
import type { Route } from './event-router.js';
import type { HandlerRuntime } from './handler-runtime.js';

/** A record that is ours to handle, with the handlers it goes to. */
export interface Delivery {
  readonly kind: 'deliver';
  /** As it was delivered to us: what settles. */
  readonly record: ConsumedRecord;
  /** Of the record as it was written to its topic, whatever retry topic it was delivered from. */
  readonly envelope: EventEnvelope;
  /** Null for a record from its own topic. */
  readonly parked: ParkedRecord | null;
  readonly route: Route;
  /** One or more. */
  readonly handlers: readonly HandlerRuntime[];
}

/** A record and where it is from. */
export interface PlacedRecord {
  readonly record: InRecord;
  readonly partition: TopicPartition;
}

/** What signals call a record. */
export function recordRef(groupId: string, { record, partition }: PlacedRecord): RecordRef {
  return {
    groupId,
    topic: partition.topic,
    partition: partition.partition,
    offset: record.offset,
  };
}
