import type { DeadLetterReason } from '../failure/dead-letter-reason.js';
import type { DirectDeliveryReason } from '../kafka-events.errors.js';
import type { TopicPartition } from '../kafka/records.js';
import type { SyncCallError, SyncCallRef } from '../kafka-events.errors.js';
import type { StallReason } from './stall-reason.js';

/** What can be held: a handler everywhere it runs, a physical topic in every group, or a whole group. */
export type ConsumerTarget =
  { readonly handlerId: string } | { readonly topic: string } | { readonly groupId: string };

/** For people, and unlike for unlike targets. */
export function nameOfTarget(target: ConsumerTarget): string {
  if ('groupId' in target) return `group "${target.groupId}"`;
  return 'topic' in target ? `topic "${target.topic}"` : `handler "${target.handlerId}"`;
}

/** A call of another service. */
export interface SyncCallFigures extends SyncCallRef {
  /** How often it was tried, at the breaker at least. */
  readonly attempts: number;
  /** In all, waits included. */
  readonly durationMs: number;
}

/** The record a signal is about. */
export interface RecordRef extends TopicPartition {
  readonly groupId: string;
  readonly offset: bigint;
}

/** A record together with the handler at work on it. */
export interface HandlerRef extends RecordRef {
  readonly handlerId: string;
  readonly eventId: string;
  readonly eventType: string;
}

/** The materialised view a signal is about. */
export interface ViewSignal {
  readonly view: string;
  readonly version: number;
}

/** Every signal of the engine with what it carries: one table, which the health counters share. */
export interface Signals {
  /** `publish` was acknowledged. */
  published: { readonly eventType: string; readonly topic: string; readonly eventId: string };
  publishFailed: {
    readonly eventType: string;
    readonly topic: string;
    readonly eventId: string;
    readonly error: Error;
  };
  /** A producer was thrown away after a failed send. */
  producerRecycled: { readonly topic: string; readonly error: Error };

  /** Events of an outbox were acknowledged by the broker. */
  outboxPublished: { readonly topic: string; readonly records: number };
  /** A topic takes no events of the outbox for now, or its store did not answer (`topic` null); tried again. */
  outboxFailed: { readonly topic: string | null; readonly error: Error };
  /** The broker refuses an event of the outbox: it is tried again, and its key waits. */
  outboxHeld: {
    readonly topic: string;
    readonly eventId: string;
    readonly eventType: string;
    readonly error: Error;
  };
  /** An operator gave up an event of the outbox that the broker refused. */
  outboxDiscarded: { readonly eventId: string };
  /** This process publishes what is in the outbox from now on, or does not any more. */
  outboxLeads: { readonly leading: boolean };
  /** What waits in the outbox, told every 10 s by the process that publishes. */
  outboxCounted: {
    /** Not counted beyond 10,000. */
    readonly pending: number;
    readonly oldestAgeMs: number | null;
    readonly held: number;
  };

  /** A handler succeeded and its claim, if it had one that the store could take, was completed. */
  handled: HandlerRef & { readonly attempt: number; readonly durationMs: number };
  /** A handler of batches has come back with one, or was given up; each record is told of by itself. */
  batchEnded: TopicPartition & {
    readonly groupId: string;
    readonly handlerId: string;
    readonly records: number;
    readonly durationMs: number;
  };
  /** A claim was already done, parked or dead: the handler did not run. */
  duplicate: HandlerRef & { readonly state: 'done' | 'parked' | 'dead' };
  /** An attempt failed; it is retried after `delayMs`, or dead-lettered when `delayMs` is null. */
  attemptFailed: HandlerRef & {
    readonly attempt: number;
    readonly error: Error;
    readonly delayMs: number | null;
  };
  /** Most of a handler's records fail: it is held, and one record at a time tries whether that is over. */
  outageBegan: { readonly groupId: string; readonly handlerId: string; readonly error: Error };
  outageEnded: { readonly groupId: string; readonly handlerId: string; readonly heldMs: number };
  /** An operator holds a handler, a topic or a group of this process. */
  paused: { readonly target: ConsumerTarget };
  resumed: { readonly target: ConsumerTarget; readonly heldMs: number };
  concurrencyChanged: { readonly handlerId: string; readonly concurrency: number };
  /**
   * A handler's concurrency followed how long its calls take; `floorMs` is what one takes without load, null
   * before that is known.
   */
  concurrencyAdapted: {
    readonly groupId: string;
    readonly handlerId: string;
    readonly concurrency: number;
    readonly floorMs: number | null;
  };
  /** A record is claimed whose handler had started when a process died, so many times. */
  crashSuspected: HandlerRef & { readonly crashes: number; readonly crashesAlone: number };
  /** It runs while nothing else of this process does: the next sign of life clears it. */
  runsAlone: HandlerRef & { readonly crashes: number; readonly crashesAlone: number };
  /** A handler outlived its timeout; its signal was aborted. */
  handlerTimedOut: HandlerRef & { readonly timeoutMs: number };
  /** A handler outlived twice its timeout: its slot is lost until its promise settles. */
  slotLeaked: HandlerRef;
  /** A record was acknowledged in a retry topic, to be tried again when it is due. */
  parked: HandlerRef & {
    readonly retryTopic: string;
    /** How often it has been parked, this time included. */
    readonly level: number;
    /** Milliseconds since the Unix epoch. */
    readonly dueAt: number;
  };
  /** A record could not be written to its retry topic; it is tried again and the offset waits. */
  parkFailed: HandlerRef & { readonly retryTopic: string; readonly error: Error };
  /** A record was acknowledged in the dead-letter topic. */
  deadLettered: RecordRef & {
    readonly handlerId: string | null;
    readonly reason: DeadLetterReason;
    readonly deadLetterTopic: string;
    readonly error: Error;
  };
  /** Later records of a key wait for a dead-lettered one; `key` as text. */
  keyHeld: HandlerRef & { readonly key: string };
  /** They go on: its dead letter was replayed with success, or an operator let the key go. */
  keyReleased: HandlerRef & {
    readonly key: string;
    readonly by: 'operator' | 'replay';
    readonly heldMs: number;
  };
  /** A dead letter could not be written; it is tried again and the offset waits. */
  deadLetterFailed: RecordRef & { readonly deadLetterTopic: string; readonly error: Error };
  /** A dead letter is too large even without stack and message; the record is held. */
  undeliverable: RecordRef & { readonly deadLetterTopic: string; readonly error: Error };
  /** A record of a type no handler here takes: settled. */
  notOurs: RecordRef & { readonly eventType: string };
  /** A record without a value that no handler asked for: settled. */
  tombstone: RecordRef;
  /** A record without an event id: one was derived from its position. */
  missingId: RecordRef;
  /** The record's claim is held elsewhere; it waits for the lease. */
  leaseWait: HandlerRef & { readonly leaseMs: number };
  /** A claim was completed although somebody else had taken it over meanwhile. */
  claimLost: HandlerRef;
  /** The idempotency store failed; the record waits, or is handled without dedup. */
  storeFailed: { readonly groupId: string; readonly operation: string; readonly error: Error };
  /** A record was handled without dedup because the store was away and `onStoreError` is `'process'`. */
  handledWithoutDedup: HandlerRef;
  /** A memory store forgot a mark before its window ended, for want of room. */
  storeEvicted: { readonly evicted: number };
  /** An exception filter itself failed; the record's fate did not change. */
  filterFailed: HandlerRef & { readonly error: Error };
  /** `retry.classify`, or the `when` of a schedule, itself failed; the record's fate is as without it. */
  classifyFailed: HandlerRef & { readonly error: Error };

  /** A handler failed on an event delivered directly: whoever delivered it is told, no attempt is counted. */
  directFailed: HandlerRef & { readonly error: Error };
  /** A direct delivery was refused, or did not end with all who accept it being done. */
  directRefused: {
    readonly topic: string;
    readonly reason: DirectDeliveryReason;
    readonly error: Error;
  };

  /** A partition's offset has not moved for `stallAfterMs` although there are records; told once. */
  stalled: RecordRef & {
    /** The record's key, as its lane has it; null where it has a lane of its own. */
    readonly lane: string | null;
    /** At work on the record now. */
    readonly handlers: readonly string[];
    readonly waitsFor: StallReason;
    readonly waitingMs: number;
  };
  /** That record has ended, or its partition is held by an operator or somebody else's now. */
  stallEnded: RecordRef & { readonly stalledMs: number };

  /** A generation of a view is being built from the log. */
  viewBuilding: ViewSignal & { readonly generation: string };
  /** A generation of a view is read from now on: it was built, or there when the process started. */
  viewLive: ViewSignal & { readonly generation: string };
  /** A view could not be seen to, or changed: it is tried again, and what it shows gets older. */
  viewFailed: ViewSignal & { readonly error: Error };
  /** The log begins at `start`: what was before is gone, and the generation at hand has never had it. */
  viewRecordsGone: ViewSignal & TopicPartition & { readonly start: bigint };

  /** A defect of the engine: the record stays unsettled, and its partition's watermark with it. */
  engineFault: RecordRef & { readonly error: Error };

  /** Offsets were committed. */
  committed: { readonly groupId: string; readonly partitions: number };
  /** A commit failed; the offsets stay dirty and are committed again. */
  commitFailed: { readonly groupId: string; readonly error: Error };
  partitionAssigned: TopicPartition & { readonly groupId: string; readonly epoch: number };
  /** A partition was taken away; `abandoned` records were queued or running and are redelivered elsewhere. */
  partitionLost: TopicPartition & {
    readonly groupId: string;
    readonly epoch: number;
    readonly abandoned: number;
  };
  /** The committed offset is not in the log any more; the partition is held until an operator decides. */
  offsetOutOfRange: TopicPartition & { readonly groupId: string };
  /** The broker refused a partition's records; others go on, and it is asked again. */
  fetchFailed: TopicPartition & { readonly groupId: string; readonly error: Error };
  /** A topic does not exist or is not ours to see; others go on, and it is looked for. */
  topicUnavailable: { readonly groupId: string; readonly topic: string; readonly error: Error };
  topicAvailable: { readonly groupId: string; readonly topic: string };
  partitionPaused: TopicPartition & { readonly groupId: string };
  partitionResumed: TopicPartition & { readonly groupId: string };
  /** A drain before a rejoin or shutdown ended with handlers still running. */
  drainTimedOut: { readonly groupId: string; readonly running: number };
  consumerState: { readonly groupId: string; readonly state: string; readonly error: Error | null };
  /** A service answered a call of `SyncFallbackClient`. */
  syncCalled: SyncCallFigures;
  /** It did not, and something else stood in for it: `source`, `ageMs` old where that is known. */
  syncFellBack: SyncCallFigures & {
    readonly source: string;
    readonly ageMs: number | null;
    readonly error: SyncCallError;
  };
  /** The caller was given an error: the service's refusal, or nothing stood in for it. */
  syncCallFailed: SyncCallFigures & { readonly error: SyncCallError };
  /** What should have stood in failed itself; the next fallback was tried. */
  syncFallbackFailed: {
    readonly service: string;
    readonly method: string;
    readonly error: Error;
  };
  /** An operation of `HybridRouter` has gone that way; the cause is why it was not the first one. */
  routed: {
    readonly operation: string;
    readonly path: string;
    readonly cause: Error | null;
    readonly durationMs: number;
  };
  /** It found no way; the caller was given the error. */
  routingFailed: {
    readonly operation: string;
    readonly error: Error;
    readonly durationMs: number;
  };
  /** A service is not called for so long, because of what its latest calls came to. */
  breakerOpened: { readonly service: string; readonly error: Error; readonly openMs: number };
  /** A few calls are let through, to try whether it is well again. */
  breakerHalfOpened: { readonly service: string };
  /** It is; the breaker had first opened so long ago. */
  breakerClosed: { readonly service: string; readonly openForMs: number };

  /** A feed was asked for changes, and those it had are published. */
  feedPolled: { readonly feed: string; readonly changes: number; readonly durationMs: number };
  /** It could not be asked, or a change not be published; the cursor stays, and it is asked again. */
  feedFailed: { readonly feed: string; readonly error: Error; readonly retryInMs: number };
  /** A change that can be no event was left out, with `onInvalid: 'skip'`. */
  feedSkipped: { readonly feed: string; readonly error: Error };

  /** The group has other members, but the idempotency store lives in this process alone. */
  unsharedStore: { readonly groupId: string; readonly members: number };
}

export type SignalName = keyof Signals;

/**
 * Hooks into the engine: `onHandled`, `onDeadLettered`, … one for each signal.
 *
 * They are called synchronously on the hot path: keep them short. What they throw is counted and
 * otherwise ignored.
 */
export type KafkaEventsObserver = {
  readonly [N in SignalName as `on${Capitalize<N>}`]?: (signal: Signals[N]) => void;
};

/** How the engine's parts report; the module fans it out to observers, health and the log. */
export interface SignalSink {
  emit<N extends SignalName>(name: N, signal: Signals[N]): void;
}
