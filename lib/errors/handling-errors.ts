import { KafkaEventsError } from './kafka-events-error.js';

/** Throw it from a handler to dead-letter the record at once. */
export class NonRetryableEventError extends KafkaEventsError {
  constructor(message: string, options?: { readonly cause?: unknown }) {
    super('NON_RETRYABLE', message, options);
  }
}

/**
 * Throw it from a handler to have the record retried after this delay; attempts count. At most 30 s in
 * the lane, which waits; a longer delay needs a retry topic (`retryTopic` of the handler), a day at most.
 */
export class RetryLaterError extends KafkaEventsError {
  /** @param delayMs milliseconds until the next attempt. */
  constructor(
    readonly delayMs: number,
    message = `retry in ${String(delayMs)} ms`,
    options?: { readonly cause?: unknown },
  ) {
    super('RETRY_LATER', message, { ...options, retryable: true });
  }
}

/** What `EventContext.deadLetter` throws: the engine dead-letters the record when it sees it. */
export class DeadLetterRequestedError extends KafkaEventsError {
  constructor(reason: string) {
    super('NON_RETRYABLE', reason);
  }
}

/** Thrown by `EventBatch` for a record it has not got, and for what is decided after its handler has ended. */
export class BatchDecisionError extends KafkaEventsError {
  constructor(message: string) {
    super('BATCH_DECISION', message);
  }
}

/** What a handler's attempt fails with when it outlives its `timeoutMs`. */
export class HandlerTimeoutError extends KafkaEventsError {
  constructor(handlerId: string, timeoutMs: number) {
    super('HANDLER_TIMEOUT', `${handlerId} did not finish within ${String(timeoutMs)} ms`, {
      retryable: true,
    });
  }
}

/** Why a record is dead-lettered whose process died whenever it ran. */
export class CrashLoopError extends KafkaEventsError {
  /**
   * @param crashes runs that had started when their process died, or was cut off for longer than its lease.
   * @param crashesAlone of those, the runs that had their process for themselves.
   */
  constructor(
    handlerId: string,
    readonly crashes: number,
    readonly crashesAlone: number,
  ) {
    super(
      'CRASH_LOOP',
      `the process died ${String(crashes)} times while ${handlerId} was at work on this record, ` +
        `${String(crashesAlone)} times while nothing else ran: it was not run again. Mend what kills the ` +
        'process, then publish the event again under a new id',
    );
  }
}

/** The reason of a handler's signal when the process stops before the handler has come back. */
export class ShutdownError extends KafkaEventsError {
  constructor() {
    super('SHUTDOWN', 'the application is shutting down: the record will be delivered again', {
      retryable: true,
    });
  }
}

/** Thrown to have Kafka deliver a record again; the `cause` is why it was not handled. */
export class RedeliveryError extends KafkaEventsError {
  constructor(message: string, options: { readonly cause?: unknown } = {}) {
    super('REDELIVERY', message, { ...options, retryable: true });
  }
}
