import {
  MessageTooLargeError,
  NonRetryableEventError,
  SyncCallError,
  toError,
  type SyncStatus,
} from '../kafka-events.errors.js';

/** Refusals that blame the request, and so the event. Of credentials and routes the event knows nothing. */
const BLAMES_THE_REQUEST: ReadonlySet<SyncStatus> = new Set<SyncStatus>([
  ...(['INVALID_ARGUMENT', 'NOT_FOUND', 'ALREADY_EXISTS'] as const),
  ...(['FAILED_PRECONDITION', 'OUT_OF_RANGE'] as const),
]);

/**
 * What a handler has to throw for a call that failed, so that its event has the fate it should have. What only
 * tells of the service is thrown as it is: the engine knows it, and waits.
 */
export function asHandlerFailure(thrown: unknown): Error {
  const error = toError(thrown);
  if (!(error instanceof SyncCallError)) return error;
  const blamesTheRequest = BLAMES_THE_REQUEST.has(error.status) && error.origin !== 'guard';
  if (blamesTheRequest || error instanceof MessageTooLargeError) {
    return new NonRetryableEventError(error.message, { cause: error });
  }
  return error;
}
