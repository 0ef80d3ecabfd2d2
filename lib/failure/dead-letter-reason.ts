/** Why a record was dead-lettered: the closed set of values of the `dlq-reason` header. */
export const DEAD_LETTER_REASONS = [
  'undecodable',
  'invalid',
  'no-event-type',
  'unknown-version',
  'unknown-handler',
  'rejected-by-guard',
  'non-retryable',
  'retries-exhausted',
  'timeout',
  'crash-loop',
  'handler-requested',
] as const;

export type DeadLetterReason = (typeof DEAD_LETTER_REASONS)[number];
