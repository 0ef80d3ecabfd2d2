import type { EventSource, PublishPayload } from '../contracts/event-source.js';
import type { PublishReceipt } from '../kafka-events.errors.js';

/** What a caller may say about one event beside its payload. */
export interface PublishOptions {
  /** Default: a random UUID. Give the same id again to retry a publish whose end is unknown. */
  readonly eventId?: string;
  /** What this event belongs to. Default: the event's own id. */
  readonly correlationId?: string;
  /** Id of the event that caused this one. */
  readonly causationId?: string;
  /**
   * Extra headers, text. Of the wire format's names only `traceparent` and `tracestate` may be
   * given; the others, `dlq-…` and `retry-…` are refused.
   */
  readonly headers?: Readonly<Record<string, string>>;
  /** When it happened: the `event-time` header. Default: now. The record's own timestamp is now. */
  readonly timestamp?: Date;
  /** How long this publish may take in all, in milliseconds. Default: `producer.deadlineMs`. */
  readonly deadlineMs?: number;
}

/** An event on its way into `publishAll`; made by {@link event}. */
export interface OutgoingEvent {
  readonly source: EventSource;
  readonly payload: unknown;
  readonly options: PublishOptions;
}

/** Pairs an event with its payload, typed, for `publishAll`. */
export function event<S extends EventSource>(
  source: S,
  payload: PublishPayload<S>,
  options: PublishOptions = {},
): OutgoingEvent {
  return { source, payload, options };
}

/** What a handler's context publishes through. */
export interface EventSink {
  publish<S extends EventSource>(
    source: S,
    payload: PublishPayload<S>,
    options?: PublishOptions,
  ): Promise<PublishReceipt>;
}

export type { PublishReceipt };
