import { KafkaEventsError, type KafkaEventsErrorOptions } from './kafka-events-error.js';

/** One thing wrong with a payload: where, and what. Holds no payload values. */
export interface PayloadIssue {
  /** Path inside the payload, for example `lines.0.sku`; empty for the payload itself. */
  readonly path: string;
  readonly message: string;
}

/**
 * Thrown where a payload breaks its event's contract, gives no usable key or cannot be encoded.
 * `publish` wraps it in {@link InvalidEventError}; a consumed record is dead-lettered for it.
 */
export class InvalidPayloadError extends KafkaEventsError {
  constructor(
    readonly issues: readonly PayloadIssue[],
    options?: KafkaEventsErrorOptions,
  ) {
    super('INVALID_EVENT', `the payload is invalid: ${describeIssues(issues)}`, options);
  }
}

/** Thrown while reading a record whose bytes are not what its headers promise. */
export class UndecodableRecordError extends KafkaEventsError {
  constructor(message: string, options?: KafkaEventsErrorOptions) {
    super('UNDECODABLE', message, options);
  }
}

/** What the dead letter of a record that reaches no handler says: why nobody could be chosen. */
export class UnroutableRecordError extends KafkaEventsError {
  constructor(message: string) {
    super('UNROUTABLE', message);
  }
}

/** @internal One line for people: where and what, without payload values. */
export function describeIssues(issues: readonly PayloadIssue[]): string {
  return issues
    .map(({ path, message }) => (path === '' ? message : `${path}: ${message}`))
    .join('; ');
}
