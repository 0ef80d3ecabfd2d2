import type { EventContract } from '../contracts/event-contract.js';
import type { MaybePromise } from '../contracts/maybe-promise.js';
import type { InvocationFault } from '../failure/retry-policy.js';
import type { InRecord, TopicPartition } from '../kafka/records.js';
import type { EventBatch } from './batch/event-batch.js';
import type { EventContext } from './event-context.js';
import type { EventOutcome } from './event-outcome.js';
import type { HandlerSettings } from './handler-options.js';

/** A topic that a handler takes whole, whatever events are in it. */
export interface WholeTopic {
  /** The physical topic. */
  readonly topic: string;
  /**
   * What the handler is invoked with, read again for each call. What it throws is the record's
   * fault where it is an UndecodableRecordError, and is retried otherwise.
   */
  read(record: InRecord, partition: TopicPartition): MaybePromise<unknown>;
}

/** By which the enhancers around a handler take part in what becomes of its record. */
export interface CallControl {
  /**
   * Claims the record for the handler. False when the handler must not run now: the record is done,
   * or somebody else is at it, and the call should end without an error.
   */
  claim(): MaybePromise<boolean>;
}

/** What a call of a handler is about: one event, or a batch of them. */
export type HandledContext = EventContext | EventBatch;

/** A handler as the pipeline sees it; the Nest edge makes these from decorated methods. */
export interface BoundHandler {
  readonly settings: HandlerSettings;
  /** The events it takes; none where it takes a whole topic. */
  readonly contracts: readonly EventContract[];
  /**
   * Set for a handler that takes all of a topic, tombstones and unknown types too. It is claimed for
   * only if it asks to be, see {@link CallControl}.
   */
  readonly wholeTopic?: WholeTopic;
  /**
   * Runs guards, pipes, interceptors and the method; rejects with what they threw, unchanged. A
   * handler of batches is given its batch in both places.
   */
  invoke(payload: unknown, context: HandledContext, control: CallControl): MaybePromise<unknown>;
  /** Tells where an error thrown by `invoke` came from. */
  faultOf(error: Error): InvocationFault;
  /**
   * Shows a failure to the exception filters that catch it. Answers the outcome one of them
   * returned, or null. Never rejects: a filter that fails is reported to `onFilterError`.
   */
  filter(
    error: Error,
    payload: unknown,
    context: HandledContext,
    onFilterError: (error: Error) => void,
  ): MaybePromise<EventOutcome | null>;
}

/** The physical topics that a handler consumes. */
export function topicsOf(
  {
    contracts,
    wholeTopic,
  }: { contracts: readonly { topic: string }[]; wholeTopic?: { topic: string } },
  topicName: (topic: string) => string,
): string[] {
  const whole = wholeTopic === undefined ? [] : [wholeTopic.topic];
  return [...contracts.map(({ topic }) => topicName(topic)), ...whole];
}
