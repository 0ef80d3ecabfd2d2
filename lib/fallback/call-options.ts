import { HEADERS } from '../contracts/event-headers.js';
import type { WireHeaders } from '../kafka/records.js';
import type { SyncMetadata } from './sync-transport.js';

/** The event in whose handling a call is made: an `EventContext` is one. */
export interface CausingEvent {
  readonly eventId: string;
  readonly correlationId: string | null;
  readonly headers: WireHeaders;
  readonly signal?: AbortSignal;
}

/** What a caller may say about one call beside its request. */
export interface SyncCallOptions {
  /** How long the call may take in all, in milliseconds; where the method's own deadline is shorter, that counts. */
  readonly deadlineMs?: number;
  /**
   * When whoever called us stops waiting, in milliseconds since the Unix epoch or as a Date. The earliest of
   * all deadlines counts.
   */
  readonly deadline?: number | Date;
  /** Aborted when the answer is not wanted any more. */
  readonly signal?: AbortSignal;
  readonly correlationId?: string;
  /** The event being handled: gives signal, correlation id and trace where these are not given. */
  readonly event?: CausingEvent;
  /** Sent along, text; `traceparent` and `tracestate` among it. */
  readonly metadata?: SyncMetadata;
  /** False: no fallback is asked, only the service itself can answer. Default true. */
  readonly fallback?: boolean;
}

/** How long it is until the earliest deadline, in milliseconds; NaN where one of them is no time at all. */
export function timeOf(
  { deadlineMs, deadline }: SyncCallOptions,
  ownMs: number,
  wallTime: Date,
): number {
  const givenMs =
    deadline === undefined ? Number.POSITIVE_INFINITY : Number(deadline) - wallTime.getTime();
  return Math.min(ownMs, deadlineMs ?? ownMs, givenMs);
}

/** What is aborted when the caller gives up. */
export function signalsOf({ signal, event }: SyncCallOptions): readonly AbortSignal[] {
  return [signal, event?.signal].filter((one) => one !== undefined);
}

/** The id of what the call belongs to, as for events: that of the event's story, or its own. */
export function correlationIdOf({ correlationId, event }: SyncCallOptions): string | undefined {
  return correlationId ?? event?.correlationId ?? event?.eventId;
}

/** What travels beside the request: correlation id and trace context under the names that events use. */
export function metadataOf(options: SyncCallOptions): SyncMetadata {
  const { event, metadata = {} } = options;
  const correlationId = correlationIdOf(options);
  return {
    ...(event && traceOf(event.headers)),
    ...(correlationId !== undefined && { [HEADERS.correlationId]: printable(correlationId) }),
    ...metadata,
  };
}

/** Trace context among headers; left out where it is none: somebody else's mistake must not fail the call. */
export function traceOf(headers: WireHeaders): SyncMetadata {
  const trace: Record<string, string> = {};
  for (const [name, value] of headers) {
    if (name !== HEADERS.traceparent && name !== HEADERS.tracestate) continue;
    const text = value?.toString('latin1') ?? '';
    if (isPrintable(text)) trace[name] = text;
  }
  return trace;
}

/** Metadata of gRPC and headers of HTTP are ASCII; anything else is written as in a URL. */
export function printable(text: string): string {
  return isPrintable(text) ? text : encodeURIComponent(text);
}

function isPrintable(text: string): boolean {
  return /^[\x20-\x7e]+$/.test(text);
}
