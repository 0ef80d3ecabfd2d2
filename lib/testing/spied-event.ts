import type { SightedRecord } from './sighted-record.js';

/** What every event has that a test is told of. */
export interface SpiedEvent<Payload> {
  /** As a handler is given it: decoded and validated. */
  readonly payload: Payload;
  readonly eventId: string;
  /** For example `order.created.v1`; empty where the record has none. */
  readonly eventType: string;
  /** The record's key as text; null for a record without one. */
  readonly aggregateId: string | null;
  /** Headers as text, the last one of a name; null for a header without a value. */
  readonly headers: Readonly<Record<string, string | null>>;
}

/** All of an event but its payload. */
export function spiedEnvelope(record: SightedRecord): Omit<SpiedEvent<unknown>, 'payload'> {
  const { eventId, eventType, aggregateId, headers } = record;
  const texts = headers.map(([name, value]) => [name, value?.toString() ?? null] as const);
  return { eventId, eventType, aggregateId, headers: Object.fromEntries(texts) };
}
