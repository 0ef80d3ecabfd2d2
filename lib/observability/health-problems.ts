import { partitionName } from '../kafka/records.js';
import { groupProblems, stateProblems } from './group-problems.js';
import type {
  FeedHealth,
  HealthFacts,
  OutboxHealth,
  PublisherHealth,
  StalledPartition,
  SyncServiceHealth,
  ViewHealth,
} from './health-report.js';
import type { HandlerRef } from './observer.js';
import { seconds } from './seconds.js';
import type { SignalCounts } from './signal-hub.js';
import { describeStall } from './stall-reason.js';

/** What waits for longer is late: the broker is away, or there is too much. */
const LATE_MS = 60_000;

/** What is wrong, in sentences. */
export function problemsOf({ parts, startProblem, suspect }: HealthFacts): string[] {
  return [
    ...startProblems(startProblem),
    ...parts.groups.flatMap(groupProblems),
    ...parts.views.flatMap(viewProblems),
    ...suspectProblems(suspect),
    ...parts.stalled.map(stallProblem),
    ...publisherProblems(parts.publisher),
    ...parts.sync.flatMap(serviceProblems),
    ...parts.feeds.flatMap(feedProblems),
    ...outboxProblems(parts.outbox),
    ...lastingProblems(parts.counts),
  ];
}

/** What the process still lacks to take part, in sentences; nothing when it is ready. */
export function missingOf({ parts: { groups, views }, startProblem }: HealthFacts): string[] {
  // A view can be read while its groups come and go.
  const ofViews = new Set(views.flatMap(({ groupIds }) => groupIds));
  return [
    ...startProblems(startProblem),
    ...groups
      .filter(({ groupId, state }) => state !== 'running' && !ofViews.has(groupId))
      .flatMap(stateProblems),
    ...views.filter(({ state }) => state === 'building').flatMap(viewProblems),
  ];
}

function startProblems(problem: string | null): string[] {
  return problem === null ? [] : [`consumers not started: ${problem}`];
}

function publisherProblems({ lastError }: PublisherHealth): string[] {
  return lastError === null ? [] : [`publisher: ${lastError}`];
}

function viewProblems({ view, state, recordsBehind, problem }: ViewHealth): string[] {
  if (problem !== null) return [`view "${view}" is not kept up to date: ${problem}`];
  if (state !== 'building') return [];
  const left = recordsBehind === null ? 'an unknown number of' : String(recordsBehind);
  return [`view "${view}" is being built, ${left} record(s) to go`];
}

function suspectProblems(suspect: HandlerRef | null): string[] {
  if (suspect === null) return [];
  const { handlerId, offset } = suspect;
  const place = `${partitionName(suspect)}@${offset.toString()}`;
  return [`everything waits for ${handlerId} on ${place}: its process died of it before, it seems`];
}

function stallProblem(stalled: StalledPartition): string {
  const { groupId, offset, handlers, waitsFor, waitingMs } = stalled;
  return (
    `group "${groupId}" is stalled at ${partitionName(stalled)}@${offset} ` +
    `for ${seconds(waitingMs)}, ${describeStall(waitsFor, handlers)}`
  );
}

function serviceProblems({ service, openForMs, error }: SyncServiceHealth): string[] {
  if (openForMs === null) return [];
  return [
    `service "${service}" is not called, its breaker has been open for ${seconds(openForMs)}` +
      (error === null ? '' : `: ${error}`),
  ];
}

function feedProblems({ feed, error }: FeedHealth): string[] {
  return error === null ? [] : [`feed "${feed}" cannot go on, it is tried again: ${error}`];
}

function outboxProblems(outbox: OutboxHealth | null): string[] {
  if (outbox === null) return [];
  const { failing, held, oldestAgeMs, storeError } = outbox;
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
