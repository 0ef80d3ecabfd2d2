import type { InRecord, TopicPartition } from '../kafka/records.js';
import { CLOUD_EVENT_HEADERS, HEADERS } from './event-headers.js';
import { utf8Text } from './utf8-text.js';

/**
 * The envelope of one record: what its headers say, read when asked for.
 *
 * Our own header names win over CloudEvents'. An id that is not UTF-8 reads as the hex of its
 * bytes, other text with replacement characters; the raw bytes stay in `record`.
 */
export class EventEnvelope implements TopicPartition {
  readonly topic: string;
  readonly partition: number;
  /** The `event-type` header; empty where the record has none. */
  readonly eventType: string;
  /** The event's id, or one derived from the record's position. */
  readonly eventId: string;
  /** True when the record had no id of its own. */
  readonly idDerived: boolean;

  constructor(
    partition: TopicPartition,
    readonly record: InRecord,
  ) {
    this.topic = partition.topic;
    this.partition = partition.partition;
    this.eventType = this.#text(HEADERS.eventType, CLOUD_EVENT_HEADERS.type) ?? '';
    const id = this.#id(HEADERS.eventId, CLOUD_EVENT_HEADERS.id) ?? '';
    this.idDerived = id === '';
    this.eventId = this.idDerived
      ? `${this.topic}:${String(this.partition)}:${record.offset.toString()}`
      : id;
  }

  get correlationId(): string | null {
    return this.#text(HEADERS.correlationId);
  }
  get causationId(): string | null {
    return this.#text(HEADERS.causationId);
  }
  get source(): string | null {
    return this.#id(CLOUD_EVENT_HEADERS.source);
  }
  get aggregateId(): string | null {
    return (
      this.record.key?.toString() ?? this.#text(HEADERS.aggregateId, CLOUD_EVENT_HEADERS.subject)
    );
  }
  get timestamp(): Date {
    const text = this.#text(HEADERS.eventTime, CLOUD_EVENT_HEADERS.time);
    const date = new Date(text ?? Number.NaN);
    return Number.isNaN(date.getTime()) ? new Date(this.record.timestamp) : date;
  }

  /** What tells events apart must not be lost in decoding: bytes that are no text read as hex. */
  #id(name: string, alternative?: string): string | null {
    const value = this.#bytes(name, alternative);
    if (value === null) return null;
    return utf8Text(value) ?? `hex:${value.toString('hex')}`;
  }

  #text(name: string, alternative?: string): string | null {
    return this.#bytes(name, alternative)?.toString() ?? null;
  }

  #bytes(name: string, alternative?: string): Buffer | null {
    const own = this.record.lastHeader(name);
    if (own !== undefined && own !== null) return own;
    return alternative === undefined ? null : (this.record.lastHeader(alternative) ?? null);
  }
}
