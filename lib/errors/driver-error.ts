import { KafkaEventsError } from './kafka-events-error.js';

/**
 * What went wrong in a Kafka client, in the terms the engine decides by. `too-large` and `invalid-record` blame what
 * is in the records; `fatal` is what neither waiting nor anything known mends.
 */
export type DriverErrorKind =
  | 'retryable'
  | 'fatal'
  | 'fenced'
  | 'auth'
  | 'too-large'
  | 'invalid-record'
  | 'unknown-topic'
  | 'closed';

/** What Kafka drivers throw: the client's own error is the `cause`. Never holds a secret. */
export class DriverError extends KafkaEventsError {
  constructor(
    readonly kind: DriverErrorKind,
    message: string,
    options: { readonly cause?: unknown } = {},
  ) {
    super('DRIVER', message, { ...options, retryable: kind === 'retryable' || kind === 'fenced' });
  }
}
