/** The header names of the wire format, in one table; all values are text. */
export const HEADERS = {
  eventId: 'event-id',
  eventType: 'event-type',
  correlationId: 'correlation-id',
  causationId: 'causation-id',
  eventTime: 'event-time',
  aggregateId: 'aggregate-id',
  contentType: 'content-type',
  traceparent: 'traceparent',
  tracestate: 'tracestate',
} as const;

/**
 * CloudEvents' Kafka binding, binary mode, which consumers accept beside our own names.
 *
 * @see https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/kafka-protocol-binding.md
 */
export const CLOUD_EVENT_HEADERS = {
  id: 'ce_id',
  type: 'ce_type',
  source: 'ce_source',
  time: 'ce_time',
  subject: 'ce_subject',
} as const;

/** What a dead letter carries beside the headers of the record it copies. */
export const DEAD_LETTER_HEADERS = {
  originalTopic: 'dlq-original-topic',
  originalPartition: 'dlq-original-partition',
  originalOffset: 'dlq-original-offset',
  originalTimestamp: 'dlq-original-timestamp',
  group: 'dlq-group',
  handler: 'dlq-handler',
  reason: 'dlq-reason',
  errorClass: 'dlq-error-class',
  errorMessage: 'dlq-error-message',
  errorStack: 'dlq-error-stack',
  attempts: 'dlq-attempts',
  firstFailedAt: 'dlq-first-failed-at',
  failedAt: 'dlq-failed-at',
  replayCount: 'dlq-replay-count',
} as const;

/**
 * What a record in a retry topic carries behind the headers that it had, all of them each time: so the
 * last of each name is ours, and others before it are the record's own, whoever wrote them.
 */
export const RETRY_HEADERS = {
  originalTopic: 'retry-original-topic',
  originalPartition: 'retry-original-partition',
  originalOffset: 'retry-original-offset',
  originalTimestamp: 'retry-original-timestamp',
  group: 'retry-group',
  handler: 'retry-handler',
  level: 'retry-level',
  dueAt: 'retry-due-at',
  attempts: 'retry-attempts',
  firstFailedAt: 'retry-first-failed-at',
  errorClass: 'retry-error-class',
  errorMessage: 'retry-error-message',
} as const;

/** Headers that callers may not set by hand: they are ours to write, or believed on our own topics only. */
export function isReservedHeader(name: string): boolean {
  return (
    name.startsWith('dlq-') ||
    name.startsWith('retry-') ||
    Object.values<string>(HEADERS).includes(name)
  );
}
