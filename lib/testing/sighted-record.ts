import type { EventEnvelope } from '../contracts/event-envelope.js';
import type { WireHeaders } from '../kafka/records.js';

/** The record a signal is about, as it is on the broker. */
export interface SightedRecord {
  readonly eventId: string;
  /** The `event-type` header; empty where the record has none. */
  readonly eventType: string;
  readonly aggregateId: string | null;
  readonly value: Buffer | null;
  readonly headers: WireHeaders;
}

export function sightedRecord({
  eventId,
  eventType,
  aggregateId,
  record,
}: EventEnvelope): SightedRecord {
  const { value, headers } = record;
  return { eventId, eventType, aggregateId, value, headers };
}
