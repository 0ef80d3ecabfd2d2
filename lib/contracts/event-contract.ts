import type { PayloadIssue } from '../kafka-events.errors.js';
import type { InRecord } from '../kafka/records.js';
import type { MaybePromise } from './maybe-promise.js';

/** A validated payload, or why it is not one. */
export type Validated<Output> =
  | { readonly valid: true; readonly payload: Output }
  | { readonly valid: false; readonly issues: readonly PayloadIssue[] };

/**
 * What the engine knows of an event, however it was declared: a `@DomainEvent` class and a
 * `defineEvent` definition both come down to one of these.
 */
export interface EventContract<Output = unknown> {
  /** For people: the class's name, or the event type. */
  readonly name: string;
  /** The kind of event, for example `order.created`. */
  readonly type: string;
  readonly version: number;
  /** The `event-type` header: `order.created.v1`. */
  readonly eventType: string;
  /** The topic as declared, before the module's `topicName`. */
  readonly topic: string;
  /**
   * The aggregate id of a payload: the record's key.
   *
   * @throws InvalidPayloadError when the payload holds no usable one.
   */
  keyOf(payload: Output): string;
  /**
   * Checks a value against the contract and leaves the value as it is. Bad input is an answer, not
   * an error: what this throws, or rejects with, is a fault of the validators or a missing peer.
   */
  validate(value: unknown): MaybePromise<Validated<Output>>;
  /**
   * Loads what `validate` needs, so that it fails at boot rather than with the first record.
   *
   * @throws MissingPeerError when an optional package is not installed.
   */
  prepare?(): Promise<void>;
  /** True for records without an `event-type` header that are this event. */
  match?(record: InRecord): boolean;
}
