import { KafkaEventsError } from './kafka-events-error.js';
import type { PublishReceipt } from './publishing-errors.js';

/** One event that `publishAll` did not get acknowledged: its place in the call, and why. */
export interface PublishAllFailure {
  readonly index: number;
  /** A `PublishError` with the event's id, or an InvalidDefinitionError: `source` is not an event. */
  readonly error: Error;
}

/** Thrown by `publishAll` when not every event was acknowledged; `receipts` are those that were. */
export class PublishAllError extends KafkaEventsError {
  /**
   * @param receipts in the order of the call.
   * @param failures in the order of the call, one for each event without a receipt; or, when
   * nothing was sent, one for each event that kept the others from being sent.
   */
  constructor(
    message: string,
    readonly receipts: readonly PublishReceipt[],
    readonly failures: readonly PublishAllFailure[],
  ) {
    super('PUBLISH_ALL_FAILED', `${message}:\n${describeFailures(failures)}`, {
      cause: failures[0]?.error,
      retryable: failures.every(({ error }) => isRetryable(error)),
    });
  }
}

function isRetryable(error: Error): boolean {
  return error instanceof KafkaEventsError && error.retryable;
}

function describeFailures(failures: readonly PublishAllFailure[]): string {
  const shown = failures.slice(0, 5).map(({ index, error }) => `  - [${index}] ${error.message}`);
  const more = failures.length - shown.length;
  return [...shown, ...(more > 0 ? [`  - and ${more} more`] : [])].join('\n');
}
