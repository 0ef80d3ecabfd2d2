import { KafkaEventsError, type KafkaEventsErrorCode } from './kafka-events-error.js';
import type { SyncStatus } from './sync-status.js';

/** The method of another service that a call is of. */
export interface SyncCallRef {
  readonly service: string;
  readonly method: string;
}

/**
 * Who made a call fail: the `service`, by its answer or by giving none; the `guard` in front of it, which
 * held the call back; or the `caller`, whose request, deadline or patience was not enough.
 */
export type SyncFailureOrigin = 'service' | 'guard' | 'caller';

export interface SyncCallErrorOptions {
  readonly origin?: SyncFailureOrigin;
  readonly cause?: unknown;
  readonly code?: KafkaEventsErrorCode;
}

const WORTH_REPEATING: ReadonlySet<SyncStatus> = new Set<SyncStatus>([
  ...(['UNAVAILABLE', 'DEADLINE_EXCEEDED', 'RESOURCE_EXHAUSTED'] as const),
  ...(['ABORTED', 'INTERNAL', 'UNKNOWN'] as const),
]);

/** Thrown by `SyncFallbackClient` where a call failed and no fallback had an answer. */
export class SyncCallError extends KafkaEventsError implements SyncCallRef {
  readonly service: string;
  readonly method: string;
  /** Default `'service'`. */
  readonly origin: SyncFailureOrigin;
  /**
   * Milliseconds until the service is tried again, 0 while that is under way; null while its breaker is closed.
   * Said by the guard, which knows it only once the call has failed.
   */
  retryInMs: number | null = null;

  /** @param message what happened; without values of the request. */
  constructor(
    call: SyncCallRef,
    readonly status: SyncStatus,
    message: string,
    options: SyncCallErrorOptions = {},
  ) {
    const { origin = 'service', code = 'SYNC_CALL', ...rest } = options;
    const retryable = origin !== 'caller' && WORTH_REPEATING.has(status);
    super(code, `${call.service}.${call.method}: ${status}: ${message}`, { ...rest, retryable });
    this.service = call.service;
    this.method = call.method;
    this.origin = origin;
  }
}

/** Thrown without a call: most of the latest ones failed, and it is not time yet to try again. */
export class BreakerOpenError extends SyncCallError {
  override readonly retryInMs: number;

  /** @param retryInMs until a call is let through to try; 0 while one is under way. */
  constructor(call: SyncCallRef, retryInMs: number, cause: Error | null) {
    const message = 'not called, its breaker is open: most of the latest calls failed';
    super(call, 'UNAVAILABLE', message, { origin: 'guard', code: 'BREAKER_OPEN', cause });
    this.retryInMs = retryInMs;
  }
}

/** Thrown without a call: as many as allowed are under way, and as many as allowed wait. */
export class BulkheadFullError extends SyncCallError {
  constructor(call: SyncCallRef, limits: { maxConcurrent: number; maxQueued: number }) {
    const { maxConcurrent, maxQueued } = limits;
    const message =
      `not called, ${String(maxConcurrent)} calls are under way and ${String(maxQueued)} wait; ` +
      'raise bulkhead.maxConcurrent or maxQueued if the service can take more';
    super(call, 'RESOURCE_EXHAUSTED', message, { origin: 'guard', code: 'BULKHEAD_FULL' });
  }
}

/** Thrown without a call: there was no time left for one when it was asked for. */
export class DeadlinePassedError extends SyncCallError {
  /** @param lateMs by how much the deadline had passed. */
  constructor(
    call: SyncCallRef,
    readonly lateMs: number,
  ) {
    const message = `not called, the deadline was ${String(lateMs)} ms ago`;
    super(call, 'DEADLINE_EXCEEDED', message, { origin: 'caller', code: 'DEADLINE_PASSED' });
  }
}

/** Thrown where a request or a reply is larger than the transport's limit. */
export class MessageTooLargeError extends SyncCallError {
  constructor(call: SyncCallRef, message: string, cause?: unknown) {
    super(call, 'RESOURCE_EXHAUSTED', message, {
      origin: 'caller',
      code: 'MESSAGE_TOO_LARGE',
      cause,
    });
  }
}
