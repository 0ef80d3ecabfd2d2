import {
  KafkaEventsError,
  type KafkaEventsErrorCode,
  type KafkaEventsErrorOptions,
} from './kafka-events-error.js';
import { describeIssues, type PayloadIssue } from './payload-errors.js';

/** What every publishing failure knows, so that the caller's retry can reuse the event id. */
export interface PublishFailure {
  readonly eventId: string;
  readonly eventType: string;
  readonly topic: string;
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

/** The base of everything `publish` rejects with. */
export class PublishError extends KafkaEventsError implements PublishFailure {
  readonly eventId: string;
  readonly eventType: string;
  readonly topic: string;

  constructor(
    code: KafkaEventsErrorCode,
    failure: PublishFailure,
    message: string,
    options?: KafkaEventsErrorOptions,
  ) {
    super(
      code,
      `${failure.eventType} (event id ${failure.eventId}) was not published to "${failure.topic}": ${message}`,
      options,
    );
    this.eventId = failure.eventId;
    this.eventType = failure.eventType;
    this.topic = failure.topic;
  }
}

/** Thrown when a payload or its publish options do not satisfy the event's contract; nothing was sent. */
export class InvalidEventError extends PublishError {
  constructor(
    failure: PublishFailure,
    readonly issues: readonly PayloadIssue[],
    cause?: unknown,
  ) {
    super('INVALID_EVENT', failure, `it is invalid: ${describeIssues(issues)}`, { cause });
  }
}

/** Thrown when key, value and headers together exceed `producer.maxRecordBytes`, or the broker says so. */
export class EventTooLargeError extends PublishError {
  constructor(failure: PublishFailure, message: string, cause?: unknown) {
    super('EVENT_TOO_LARGE', failure, message, { cause });
  }
}

/** Thrown when the event's topic does not exist on the broker. */
export class UnknownTopicError extends PublishError {
  constructor(failure: PublishFailure, cause?: unknown) {
    super(
      'UNKNOWN_TOPIC',
      failure,
      'the topic does not exist; create it, or set topics: "create" on the module',
      { cause },
    );
  }
}

/** Thrown when the publisher is not open: shut down, or never connected (`connect: false`). */
export class PublisherClosedError extends PublishError {
  constructor(
    failure: PublishFailure,
    message = 'the publisher is closed: the application is shutting down',
    cause?: unknown,
  ) {
    super('PUBLISHER_CLOSED', failure, message, { cause });
  }
}

/** Thrown when the broker did not acknowledge before the deadline; the event may still have arrived. */
export class PublishDeadlineError extends PublishError {
  constructor(failure: PublishFailure, deadlineMs: number, cause?: unknown) {
    super(
      'PUBLISH_DEADLINE',
      failure,
      `no acknowledgement within ${String(deadlineMs)} ms. It may have arrived: retry with the same event id`,
      { cause, retryable: true },
    );
  }
}

/** Thrown when the publish buffer is full and `producer.onBufferFull` is `'fail'`. */
export class PublishBufferFullError extends PublishError {
  constructor(failure: PublishFailure, message: string) {
    super('PUBLISH_BUFFER_FULL', failure, message, { retryable: true });
  }
}

/** Thrown when the broker refused the record in a way that a retry does not mend. */
export class PublishRejectedError extends PublishError {
  constructor(failure: PublishFailure, message: string, cause?: unknown) {
    super('PUBLISH_REJECTED', failure, message, { cause });
  }
}
