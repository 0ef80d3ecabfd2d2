import {
  DriverError,
  EventTooLargeError,
  PublishDeadlineError,
  PublishError,
  PublisherClosedError,
  PublishRejectedError,
  toError,
  UnknownTopicError,
} from '../kafka-events.errors.js';
import type { EncodedEvent } from './event-encoder.js';
import { SendDeadlineError } from './send-deadline-error.js';

/** What kept a record from being acknowledged, as the error of the event it carried. */
export function toPublishError(thrown: unknown, event: EncodedEvent): PublishError {
  const { identity, deadlineMs } = event;
  if (thrown instanceof PublishError) return thrown;
  if (thrown instanceof SendDeadlineError) {
    return new PublishDeadlineError(identity, deadlineMs, thrown.cause ?? thrown);
  }
  const error = toError(thrown);
  const kind = thrown instanceof DriverError ? thrown.kind : 'fatal';
  switch (kind) {
    case 'too-large':
      return new EventTooLargeError(
        identity,
        `the broker refused its size: ${error.message}`,
        error,
      );
    case 'unknown-topic':
      return new UnknownTopicError(identity, error);
    case 'closed':
      return new PublisherClosedError(
        identity,
        'the publisher was closed before the broker acknowledged it. It may have arrived: ' +
          'retry with the same event id',
        error,
      );
    default:
      return new PublishRejectedError(identity, error.message, error);
  }
}
