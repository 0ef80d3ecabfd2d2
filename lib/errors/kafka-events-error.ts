/** Every error this package throws carries one of these, so that callers can branch on it. */
export type KafkaEventsErrorCode =
  | 'INVALID_OPTIONS'
  | 'INVALID_DEFINITION'
  | 'INVALID_HANDLER'
  | 'MISSING_PEER'
  | 'MISSING_TOPICS'
  | 'NOT_READY'
  | 'UNDECODABLE'
  | 'UNROUTABLE'
  | 'INVALID_EVENT'
  | 'EVENT_TOO_LARGE'
  | 'UNKNOWN_TOPIC'
  | 'PUBLISHER_CLOSED'
  | 'PUBLISH_DEADLINE'
  | 'PUBLISH_BUFFER_FULL'
  | 'PUBLISH_REJECTED'
  | 'PUBLISH_ALL_FAILED'
  | 'NON_RETRYABLE'
  | 'RETRY_LATER'
  | 'HANDLER_TIMEOUT'
  | 'CRASH_LOOP'
  | 'STORE_UNAVAILABLE'
  | 'MISSING_TABLES'
  | 'CLAIM_LOST'
  | 'NO_CLAIM'
  | 'ROLLED_BACK'
  | 'NO_OUTBOX'
  | 'SHUTDOWN'
  | 'NOT_HERE'
  | 'AUTO_COMMIT'
  | 'INVALID_TARGET'
  | 'REDELIVERY'
  | 'BATCH_DECISION'
  | 'DIRECT_DELIVERY'
  | 'DRIVER'
  | 'SYNC_CALL'
  | 'BREAKER_OPEN'
  | 'BULKHEAD_FULL'
  | 'DEADLINE_PASSED'
  | 'MESSAGE_TOO_LARGE'
  | 'UNKNOWN_VIEW'
  | 'VIEW_NOT_READY'
  | 'VIEW_BEHIND'
  | 'VIEW_FULL';

export interface KafkaEventsErrorOptions {
  readonly cause?: unknown;
  /** True when the same call may succeed later without any change. Default false. */
  readonly retryable?: boolean;
}

/** The base of every error of this package. */
export class KafkaEventsError extends Error {
  readonly code: KafkaEventsErrorCode;
  readonly retryable: boolean;

  constructor(code: KafkaEventsErrorCode, message: string, options: KafkaEventsErrorOptions = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined);
    this.name = new.target.name;
    this.code = code;
    this.retryable = options.retryable ?? false;
  }
}
