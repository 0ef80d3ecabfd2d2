import {
  BreakerOpenError,
  MessageTooLargeError,
  NonRetryableEventError,
  RetryLaterError,
  SyncCallError,
  toError,
  type SyncStatus,
} from '../kafka-events.errors.js';

/** Refusals that blame the request, and so the event. Of credentials and routes the event knows nothing. */
const BLAMES_THE_REQUEST: ReadonlySet<SyncStatus> = new Set<SyncStatus>([
  ...(['INVALID_ARGUMENT', 'NOT_FOUND', 'ALREADY_EXISTS'] as const),
  ...(['FAILED_PRECONDITION', 'OUT_OF_RANGE'] as const),
]);

/** Waits of a lane are no longer; shorter ones would only find the breaker open again. */
const LONGEST_WAIT_MS = 30_000;
const SHORTEST_WAIT_MS = 100;

/** What a handler has to throw for a call that failed, so that its event has the fate it should have. */
export function asHandlerFailure(thrown: unknown): Error {
  const error = toError(thrown);
  if (!(error instanceof SyncCallError)) return error;
  if (error instanceof BreakerOpenError) {
    const waitMs = Math.min(Math.max(error.retryInMs, SHORTEST_WAIT_MS), LONGEST_WAIT_MS);
    return new RetryLaterError(waitMs, error.message, { cause: error });
  }
  const blamesTheRequest = BLAMES_THE_REQUEST.has(error.status) && error.origin !== 'guard';
  if (blamesTheRequest || error instanceof MessageTooLargeError) {
    return new NonRetryableEventError(error.message, { cause: error });
  }
  return error;
}
