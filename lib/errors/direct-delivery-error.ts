import { KafkaEventsError } from './kafka-events-error.js';

/** Why an event that was delivered directly is not done. */
export type DirectDeliveryReason =
  /** The other side does not know who calls, or refuses them. */
  | 'unauthenticated'
  | 'denied'
  /** Nobody there consumes the topic, or it is one that the group keeps to itself. */
  | 'topic-not-consumed'
  | 'topic-private'
  /** Nobody there takes the event's type and version, or none of those who do has opted in. */
  | 'event-unknown'
  | 'event-not-accepted'
  /** Its copy from Kafka could not be told from it. */
  | 'event-id-missing'
  | 'malformed'
  | 'too-large'
  /** The event is at fault, as its handler sees it. */
  | 'rejected'
  /** These may pass: try again, or leave it to the copy from Kafka. */
  | 'failed'
  | 'in-progress'
  | 'held'
  | 'store-away'
  | 'late'
  | 'busy'
  | 'not-ready'
  | 'unreachable';

const PASSING: readonly DirectDeliveryReason[] = [
  'failed',
  'in-progress',
  'held',
  'store-away',
  'late',
  'busy',
  'not-ready',
  'unreachable',
];

/**
 * Thrown where a direct delivery did not end with every handler that opted in being done. Nothing is
 * dead-lettered for it, and no attempt counted: the copy from Kafka comes.
 */
export class DirectDeliveryError extends KafkaEventsError {
  constructor(
    readonly reason: DirectDeliveryReason,
    message: string,
    options: { readonly cause?: unknown } = {},
  ) {
    super('DIRECT_DELIVERY', message, { ...options, retryable: PASSING.includes(reason) });
  }
}
