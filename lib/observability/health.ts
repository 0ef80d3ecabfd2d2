import type { ConsumerState } from '../kafka/driver.js';
import { partitionName, type TopicPartition } from '../kafka/records.js';
import type { HandlerRef } from './observer.js';
import { describeStall, type StallReason } from './stall-reason.js';
import type { SignalCounts } from './signal-hub.js';

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

/** What health asks the engine; all of it is at hand, nothing is fetched. */
export interface HealthSources {
  readonly groups: () => readonly GroupHealth[];
  readonly stalled: () => readonly StalledPartition[];
  /** The suspect of killing its process for which all other handlers wait; null when none does. */
  readonly suspect: () => HandlerRef | null;
  readonly views: () => readonly ViewHealth[];
  readonly publisher: () => PublisherHealth;
  readonly sync: () => readonly SyncServiceHealth[];
  readonly feeds: () => readonly FeedHealth[];
  readonly outbox: () => OutboxHealth | null;
  readonly bufferedBytes: () => number;
  readonly counts: () => SignalCounts;
  /** Why consumers that should run do not, redacted; null when they do. */
  readonly startProblem: () => string | null;
}

/** One commit may fail in a rebalance; so many in a row are no accident. */
const WORRYING_COMMITS = 3;

/** The state of publisher and consumers as a plain object; inject it and call `check()`. */
export class KafkaEventsHealth {
  /** @internal Made by the module. */
  constructor(private readonly sources: HealthSources) {}

  check(): HealthReport {
    const groups = this.sources.groups();
    const stalled = this.sources.stalled();
    const startProblem = this.sources.startProblem();
    const publisher = this.sources.publisher();
    const sync = this.sources.sync();
    const feeds = this.sources.feeds();
    const outbox = this.sources.outbox();
    const counts = this.sources.counts();
    const views = this.sources.views();
    // A view can be read while its groups come and go.
    const ofViews = new Set(views.flatMap(({ groupIds }) => groupIds));
    const ready =
      startProblem === null &&
      groups.every(({ groupId, state }) => state === 'running' || ofViews.has(groupId)) &&
      views.every(({ state }) => state !== 'building');
    const down = startProblem !== null || groups.some(({ state }) => state === 'failed');
    const problems = [
      ...(startProblem === null ? [] : [`consumers not started: ${startProblem}`]),
      ...groups.flatMap((group) => groupProblem(group) ?? []),
      ...groups.flatMap(topicProblems),
      ...groups.flatMap(fetchProblems),
      ...groups.flatMap(outageProblems),
      ...groups.flatMap(heldKeyProblems),
      ...groups.flatMap(pausedProblems),
      ...views.flatMap(viewProblems),
      ...suspectProblems(this.sources.suspect()),
      ...stalled.map(stallProblem),
      ...(publisher.lastError === null ? [] : [`publisher: ${publisher.lastError}`]),
      ...sync.flatMap(serviceProblems),
      ...feeds.flatMap(feedProblems),
      ...(outbox === null ? [] : outboxProblems(outbox)),
      ...lastingProblems(counts),
    ];
    const status = down ? 'down' : problems.length > 0 ? 'degraded' : 'up';
    // Everything that fails here is retried by itself: a restart loses work and mends nothing.
    const live = groups.every(({ state }) => state !== 'stopped');
    const bufferedBytes = this.sources.bufferedBytes();
    return {
      ...{ status, live, ready, problems, groups, stalled, views },
      ...{ publisher, sync, feeds, outbox, bufferedBytes, counts },
    };
  }
}

/** What waits for longer is late: the broker is away, or there is too much. */
const LATE_MS = 60_000;

function outboxProblems({ failing, held, oldestAgeMs, storeError }: OutboxHealth): string[] {
  return [
    ...(storeError === null ? [] : [`outbox: ${storeError}`]),
    ...failing.map(({ topic, error }) => `outbox: "${topic}" takes nothing: ${error}`),
    ...(held === null || held === 0
      ? []
      : [`outbox: ${String(held)} event(s) are refused by the broker, and their keys wait`]),
    ...(oldestAgeMs === null || oldestAgeMs < LATE_MS
      ? []
      : [`outbox: the oldest event waits for ${seconds(oldestAgeMs)}`]),
  ];
}

function groupProblem({ groupId, state, error, failedCommits }: GroupHealth): string | null {
  if (state === 'running') {
    return failedCommits < WORRYING_COMMITS
      ? null
      : `group "${groupId}" could not commit ${String(failedCommits)} times in a row`;
  }
  return `group "${groupId}" is ${state}${error === null ? '' : `: ${error}`}`;
}

function topicProblems({ groupId, unavailableTopics }: GroupHealth): string[] {
  return unavailableTopics.map(
    ({ topic, error }) => `group "${groupId}" cannot consume "${topic}": ${error}`,
  );
}

function fetchProblems({ groupId, partitions }: GroupHealth): string[] {
  return partitions.flatMap(({ fetchError, ...partition }) =>
    fetchError === null
      ? []
      : [`group "${groupId}" cannot read ${partitionName(partition)}: ${fetchError}`],
  );
}

function outageProblems({ groupId, outages }: GroupHealth): string[] {
  return outages.map(
    ({ handlerId, error, heldMs }) =>
      `group "${groupId}" holds ${handlerId} for ${seconds(heldMs)}, ` +
      `most of its records fail: ${error}`,
  );
}

function heldKeyProblems({ groupId, heldKeys }: GroupHealth): string[] {
  return heldKeys.map(
    ({ handlerId, topic, partition, offset, heldMs }) =>
      `group "${groupId}": a key waits for ${topic}[${String(partition)}]@${offset}, dead-lettered by ` +
      `${handlerId}, for ${seconds(heldMs)}; replay the dead letter, or release the key`,
  );
}

function pausedProblems({ groupId, paused }: GroupHealth): string[] {
  return paused.map(
    ({ what, heldMs }) =>
      `group "${groupId}": ${what} is paused by an operator for ${seconds(heldMs)}`,
  );
}

function serviceProblems({ service, openForMs, error }: SyncServiceHealth): string[] {
  if (openForMs === null) return [];
  return [
    `service "${service}" is not called, its breaker has been open for ${seconds(openForMs)}` +
      (error === null ? '' : `: ${error}`),
  ];
}

function viewProblems({ view, state, recordsBehind, problem }: ViewHealth): string[] {
  if (problem !== null) return [`view "${view}" is not kept up to date: ${problem}`];
  if (state !== 'building') return [];
  const left = recordsBehind === null ? 'an unknown number of' : String(recordsBehind);
  return [`view "${view}" is being built, ${left} record(s) to go`];
}

function feedProblems({ feed, error }: FeedHealth): string[] {
  return error === null ? [] : [`feed "${feed}" cannot go on, it is tried again: ${error}`];
}

function suspectProblems(suspect: HandlerRef | null): string[] {
  if (suspect === null) return [];
  const { handlerId, offset } = suspect;
  const place = `${partitionName(suspect)}@${offset.toString()}`;
  return [`everything waits for ${handlerId} on ${place}: its process died of it before, it seems`];
}

function seconds(ms: number): string {
  return `${String(Math.round(ms / 1000))} s`;
}

function stallProblem({
  groupId,
  topic,
  partition,
  offset,
  handlers,
  waitsFor,
  waitingMs,
}: StalledPartition): string {
  return (
    `group "${groupId}" is stalled at ${topic}[${String(partition)}]@${offset} ` +
    `for ${seconds(waitingMs)}, ${describeStall(waitsFor, handlers)}`
  );
}

/** Counted facts that stay wrong until somebody has looked. */
function lastingProblems(counts: SignalCounts): string[] {
  const lasting: [number | undefined, string][] = [
    [counts.slotLeaked, 'handler slot(s) leaked by handlers that never came back'],
    [
      counts.offsetOutOfRange,
      'partition(s) held: their committed offset is not in the log any more',
    ],
    [counts.engineFault, 'defect(s) of nestjs-kafka-events itself'],
    [counts.storeEvicted, 'time(s) the idempotency store forgot marks early'],
  ];
  return lasting.flatMap(([count, what]) =>
    count === undefined ? [] : [`${String(count)} ${what}`],
  );
}
