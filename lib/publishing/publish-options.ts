import type { EventSource, PublishPayload } from '../contracts/event-source.js';

/** What a caller may say about one event beside its payload. */
export interface PublishOptions {
  /** Default: a random UUID. Give the same id again to retry a publish whose end is unknown. */
  readonly eventId?: string;
  /** What this event belongs to. Default: the event's own id. */
  readonly correlationId?: string;
  /** Id of the event that caused this one. */
  readonly causationId?: string;
  /** Extra headers, text. Names of the wire format, `dlq-…` and `retry-…` are refused. */
  readonly headers?: Readonly<Record<string, string>>;
  /** When it happened. Default: now. */
  readonly timestamp?: Date;
  /** How long this publish may take in all, in milliseconds. Default: `producer.deadlineMs`. */
  readonly deadlineMs?: number;
}

/** Proof that the broker has an event. */
export interface PublishReceipt {
  readonly eventId: string;
  readonly eventType: string;
  readonly topic: string;
  readonly partition: number;
  /** Null when the broker recognised a retry of its own and did not repeat the offset. */
  readonly offset: string | null;
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
