import type { ConsumerState } from '../kafka/driver.js';
import type { TopicPartition } from '../kafka/records.js';
import type { HandlerRef } from './observer.js';
import type { SignalCounts } from './signal-hub.js';
import type { StallReason } from './stall-reason.js';

/** A partition whose offset waits for one record for longer than `stallAfterMs`. */
export interface StalledPartition extends TopicPartition {
  readonly groupId: string;
  /** The record the offset waits for. */
  readonly offset: string;
  /** The record's key, as its lane has it; null where it has a lane of its own. */
  readonly lane: string | null;
  /** Handlers at work on the record now. */
  readonly handlers: readonly string[];
  readonly waitsFor: StallReason;
  readonly waitingMs: number;
}

export interface OutageHealth {
  readonly handlerId: string;
  /** Of the attempt with which it began, redacted. */
  readonly error: string;
  readonly heldMs: number;
}

export interface GroupHealth {
  readonly groupId: string;
  readonly state: ConsumerState;
  /** Why it is not running, redacted. */
  readonly error: string | null;
  /** Commits that failed since the last one that did not. */
  readonly failedCommits: number;
  readonly handlers: readonly HandlerHealth[];
  /** Handlers that are held because most of their records fail. */
  readonly outages: readonly OutageHealth[];
  /** Topics that do not exist or are not ours to see; they are taken up when that has changed. */
  readonly unavailableTopics: readonly UnavailableTopic[];
  /** Keys whose records wait for a dead-lettered one: `onDeadLetter: 'hold-key'`. */
  readonly heldKeys: readonly HeldKeyHealth[];
  /** What an operator has paused, by `ConsumerControl`. */
  readonly paused: readonly PausedHealth[];
  readonly partitions: readonly PartitionHealth[];
}

export interface HandlerHealth {
  readonly handlerId: string;
  /** Records it may run at once now. */
  readonly concurrency: number;
  /** Whether that follows how long calls take. */
  readonly adaptive: boolean;
  /** Slots in use, of which some may wait for the group's `maxConcurrency`. */
  readonly running: number;
}

export interface UnavailableTopic {
  readonly topic: string;
  /** Redacted. */
  readonly error: string;
}

export interface HeldKeyHealth extends TopicPartition {
  readonly handlerId: string;
  /** Of the dead-lettered record. */
  readonly offset: string;
  readonly key: string;
  readonly heldMs: number;
}

export interface PausedHealth {
  /** `handler "Orders.reserve"`, `topic "orders"` or `group "shop"`. */
  readonly what: string;
  readonly heldMs: number;
}

export interface PartitionHealth extends TopicPartition {
  /** The next offset to commit; null before the first record has settled. */
  readonly watermark: string | null;
  /** The last offset that the broker acknowledged. */
  readonly committed: string | null;
  /** Records between the watermark and the newest delivered record. */
  readonly span: number;
  readonly paused: boolean;
  /** Why the broker refuses its records, redacted; null when it does not. */
  readonly fetchError: string | null;
}

export interface ViewHealth {
  readonly view: string;
  readonly version: number;
  /** `building`: it cannot be read yet; `rebuilding`: it can, and another generation is being built. */
  readonly state: 'building' | 'live' | 'rebuilding';
  /** Consumer groups that this process keeps it with. */
  readonly groupIds: readonly string[];
  /** Offsets between it and the end of the log, as last seen; null before that is known. */
  readonly recordsBehind: number | null;
  /** Since the log was last seen to hold nothing that it does not have by now; null before that is known. */
  readonly ageMs: number | null;
  /** Why it is not kept up to date, redacted; null when it is. */
  readonly problem: string | null;
}

export interface PublisherHealth {
  readonly bufferedEvents: number;
  readonly bufferedBytes: number;
  /** The latest failure, redacted; null once a publish has succeeded after it. */
  readonly lastError: string | null;
}

/** Another service, as `SyncFallbackClient` knows it. */
export interface SyncServiceHealth {
  readonly service: string;
  readonly breaker: 'closed' | 'open' | 'half-open';
  /** How long its breaker has not been closed; null when it is. */
  readonly openForMs: number | null;
  /** Why it opened last, redacted; null when it is closed. */
  readonly error: string | null;
  /** Calls under way, and calls that wait for their turn. */
  readonly inFlight: number;
  readonly queued: number;
}

/** A feed of `legacy.feeds` that is polled. */
export interface FeedHealth {
  readonly feed: string;
  /** Whether this process polls it. */
  readonly leading: boolean;
  /** Since the latest poll that did not fail; null before there was one. */
  readonly polledAgoMs: number | null;
  /** Why the latest one failed, redacted; null when it did not. */
  readonly error: string | null;
}

/** The outbox, as the process sees it that was asked; which one publishes is for the lease to say. */
export interface OutboxHealth {
  /** Whether this process publishes. */
  readonly leading: boolean;
  /** Of the latest count, not beyond 10,000; null where another process publishes. */
  readonly pending: number | null;
  readonly oldestAgeMs: number | null;
  /** Events that the broker refuses, whose keys wait. */
  readonly held: number | null;
  /** Topics that take nothing for now; redacted. */
  readonly failing: readonly UnavailableTopic[];
  /** Why the store was not reached at the last try, redacted; null when it was. */
  readonly storeError: string | null;
}

/** What `KafkaEventsHealth.check` answers: plain data, for a probe, a page or a log line. */
export interface HealthReport {
  /** `degraded`: works, but an operator should look; `problems` says at what. */
  readonly status: 'up' | 'degraded' | 'down';
  /** False when only a restart would help. */
  readonly live: boolean;
  /** True when every group of handlers has its assignment, and every view can be read. */
  readonly ready: boolean;
  readonly problems: readonly string[];
  readonly groups: readonly GroupHealth[];
  readonly stalled: readonly StalledPartition[];
  readonly views: readonly ViewHealth[];
  readonly publisher: PublisherHealth;
  /** Services of `sync.services`. A sick one degrades what needs it, not this process's readiness. */
  readonly sync: readonly SyncServiceHealth[];
  readonly feeds: readonly FeedHealth[];
  /** Null where the module has no outbox. */
  readonly outbox: OutboxHealth | null;
  readonly bufferedBytes: number;
  /** Signals since the start, by name. */
  readonly counts: SignalCounts;
}

/** What the engine tells health; all of it is at hand, nothing is fetched. */
export interface HealthFacts {
  /** What each part tells of itself. */
  readonly parts: Omit<HealthReport, 'status' | 'live' | 'ready' | 'problems'>;
  /** Why consumers that should run do not, redacted; null when they do. */
  readonly startProblem: string | null;
  /** The suspect of killing its process for which all other handlers wait; null when none does. */
  readonly suspect: HandlerRef | null;
  /** Whether the consumers are being stopped, or have been. */
  readonly stopping: boolean;
}
