import type { KafkaErrorName } from '../../../lib/testing/embedded-kafka/wire/kafka-error.js';
import { Dice } from './dice.js';

export const BROKERS = 3;
/** How many members there may be at once. */
export const SLOTS = 4;
/** Also the lease of a claim. */
export const SESSION_MS = 10_000;

/** What a record is to its handlers. */
export type RecordKind =
  | 'plain'
  /** Fails some times, then succeeds. */
  | 'flaky'
  /** Poison: its handler says so; or fails for as long as it is tried; or nobody can read it. */
  | 'refused'
  | 'hopeless'
  | 'malformed'
  | 'unknown-version'
  /** Of a type that nobody handles. */
  | 'foreign';

export interface PlannedRecord {
  /** Two records with one id are an event and its duplicate. */
  readonly id: string;
  readonly key: string;
  readonly partition: number;
  readonly kind: RecordKind;
  /** `created` has two handlers, `shipped` one of them. */
  readonly type: 'created' | 'shipped';
  /** How often each handler of a flaky one fails. */
  readonly failures: number;
  /** How long a handler takes until its effect, and from there to its end. */
  readonly beforeMs: number;
  readonly afterMs: number;
}

/** A moment in a process's life at which it may end. */
export type CrashPoint =
  | 'before the effect'
  | 'after the effect'
  | 'before the claim'
  | 'after the claim'
  | 'before the start'
  | 'after the start'
  | 'before complete'
  | 'after complete'
  | 'before the commit'
  | 'after the commit'
  | 'before the dead letter'
  | 'after the dead letter';

/** What is done to a request: refused, or its connection closed before or after it was carried out. */
export type Harm =
  | { readonly kind: 'refuse'; readonly error: KafkaErrorName }
  | { readonly kind: 'close-before' | 'close-after' | 'swallow' };

export const TROUBLED = [
  'OffsetCommit',
  'Heartbeat',
  'JoinGroup',
  'SyncGroup',
  'Fetch',
  'OffsetFetch',
  'FindCoordinator',
  'Metadata',
  'Produce',
] as const;
export type Troubled = (typeof TROUBLED)[number];

export type StoreCall = 'claim' | 'start' | 'complete' | 'release';

export type Move =
  | { readonly kind: 'kill' | 'leave' | 'expire' | 'reset-link'; readonly slot: number }
  | { readonly kind: 'crash-at'; readonly point: CrashPoint; readonly nth: number }
  | { readonly kind: 'join' | 'rebalance' }
  | { readonly kind: 'freeze-link'; readonly slot: number; readonly ms: number }
  | { readonly kind: 'move-leader'; readonly partition: number; readonly nodeId: number }
  | { readonly kind: 'move-coordinator'; readonly nodeId: number }
  | { readonly kind: 'broker-down'; readonly nodeId: number; readonly ms: number }
  | {
      readonly kind: 'trouble';
      readonly request: Troubled;
      readonly harm: Harm;
      readonly times: number;
    }
  | {
      readonly kind: 'fetch-fails';
      readonly partition: number;
      readonly error: KafkaErrorName;
      readonly times: number;
    }
  | { readonly kind: 'store-away'; readonly ms: number }
  | {
      readonly kind: 'store-fails';
      readonly call: StoreCall;
      readonly done: boolean;
      readonly times: number;
    };

/** Everything that will be done to one group, as data: a seed makes the same each time. */
export interface Plan {
  readonly seed: number;
  readonly partitions: number;
  readonly members: number;
  readonly concurrency: number;
  readonly maxSpan: number;
  readonly bursts: readonly { readonly atMs: number; readonly records: readonly PlannedRecord[] }[];
  readonly moves: readonly (Move & { readonly atMs: number })[];
  /** When all faults end. */
  readonly calmAtMs: number;
}

export function planOf(seed: number): Plan {
  const dice = new Dice(seed);
  const partitions = dice.between(1, 4);
  const calmAtMs = dice.between(8_000, 25_000);
  return {
    seed,
    partitions,
    members: dice.between(1, 3),
    concurrency: dice.pick([1, 2, 8]),
    maxSpan: dice.pick([4, 12, 10_000]),
    bursts: bursts(dice, partitions, calmAtMs),
    moves: moves(dice, partitions, calmAtMs),
    calmAtMs,
  };
}

function bursts(dice: Dice, partitions: number, calmAtMs: number): Plan['bursts'] {
  const earlier: PlannedRecord[] = [];
  return Array.from({ length: dice.between(2, 5) }, (_, burst) => ({
    atMs: burst === 0 ? 0 : dice.between(0, calmAtMs),
    records: Array.from({ length: dice.between(5, 12) }, () => {
      const record = plannedRecord(dice, partitions, earlier);
      earlier.push(record);
      return record;
    }),
  }));
}

function plannedRecord(
  dice: Dice,
  partitions: number,
  earlier: readonly PlannedRecord[],
): PlannedRecord {
  const [first, ...others] = earlier;
  if (first !== undefined && dice.chance(0.12)) {
    const original = dice.pick([first, ...others]);
    // What reaches no handler is not told from its duplicate.
    if (original.kind !== 'unknown-version' && original.kind !== 'foreign') return original;
  }
  const key = dice.between(0, 2 * partitions);
  return {
    id: `e${String(earlier.length)}`,
    key: `k${String(key)}`,
    partition: key % partitions,
    type: dice.pick(['created', 'shipped']),
    kind: dice.weighted<RecordKind>([
      [12, () => 'plain'],
      [4, () => 'flaky'],
      [1, () => 'refused'],
      [1, () => 'hopeless'],
      [1, () => 'malformed'],
      [1, () => 'unknown-version'],
      [1, () => 'foreign'],
    ]),
    failures: dice.between(1, 2),
    beforeMs: dice.chance(0.06) ? dice.between(1_000, 15_000) : dice.between(0, 60),
    afterMs: dice.chance(0.06) ? dice.between(500, 5_000) : dice.between(0, 30),
  };
}

function moves(dice: Dice, partitions: number, calmAtMs: number): Plan['moves'] {
  const chosen = Array.from({ length: dice.between(4, 12) }, () => ({
    atMs: dice.between(50, calmAtMs),
    ...move(dice, partitions),
  })).sort((one, other) => one.atMs - other.atMs);
  // A second renewal missed in a row would end a lease, and that is a crash by other means.
  const firstOutage = chosen.findIndex(({ kind }) => kind === 'store-away');
  return chosen.filter(({ kind }, i) => kind !== 'store-away' || i === firstOutage);
}

function move(dice: Dice, partitions: number): Move {
  const slot = dice.between(0, SLOTS - 1);
  const nodeId = dice.between(0, BROKERS - 1);
  const partition = dice.between(0, partitions - 1);
  return dice.weighted<Move>([
    [3, () => ({ kind: 'kill', slot })],
    [6, () => ({ kind: 'crash-at', point: dice.pick(CRASH_POINTS), nth: dice.between(1, 4) })],
    [3, () => ({ kind: 'join' })],
    [2, () => ({ kind: 'leave', slot })],
    [2, () => ({ kind: 'rebalance' })],
    [2, () => ({ kind: 'expire', slot })],
    [1, () => ({ kind: 'reset-link', slot })],
    [3, () => ({ kind: 'freeze-link', slot, ms: dice.between(200, 18_000) })],
    [2, () => ({ kind: 'move-leader', partition, nodeId })],
    [2, () => ({ kind: 'move-coordinator', nodeId })],
    [1, () => ({ kind: 'broker-down', nodeId, ms: dice.between(200, 6_000) })],
    [8, () => trouble(dice)],
    [2, () => fetchFails(dice, partition)],
    [1, () => ({ kind: 'store-away', ms: dice.between(100, 3_000) })],
    [
      4,
      () => ({
        kind: 'store-fails',
        call: dice.pick(['claim', 'start', 'complete', 'release']),
        done: dice.chance(0.6),
        times: dice.between(1, 4),
      }),
    ],
  ]);
}

const CRASH_POINTS = [
  'before the effect',
  'after the effect',
  'before the claim',
  'after the claim',
  'before the start',
  'after the start',
  'before complete',
  'after complete',
  'before the commit',
  'after the commit',
  'before the dead letter',
  'after the dead letter',
] as const satisfies readonly CrashPoint[];

/** What Kafka answers to each, beside success. */
const REFUSALS: Readonly<Record<Troubled, readonly [KafkaErrorName, ...KafkaErrorName[]]>> = {
  OffsetCommit: [
    'REBALANCE_IN_PROGRESS',
    'NOT_COORDINATOR',
    'COORDINATOR_LOAD_IN_PROGRESS',
    'UNKNOWN_MEMBER_ID',
    'ILLEGAL_GENERATION',
  ],
  Heartbeat: [
    'REBALANCE_IN_PROGRESS',
    'NOT_COORDINATOR',
    'UNKNOWN_MEMBER_ID',
    'ILLEGAL_GENERATION',
  ],
  JoinGroup: ['NOT_COORDINATOR', 'COORDINATOR_LOAD_IN_PROGRESS', 'UNKNOWN_MEMBER_ID'],
  SyncGroup: ['NOT_COORDINATOR', 'REBALANCE_IN_PROGRESS', 'UNKNOWN_MEMBER_ID'],
  Fetch: ['NOT_LEADER_OR_FOLLOWER', 'UNKNOWN_SERVER_ERROR'],
  OffsetFetch: ['NOT_COORDINATOR', 'COORDINATOR_LOAD_IN_PROGRESS'],
  FindCoordinator: ['COORDINATOR_NOT_AVAILABLE'],
  Metadata: ['LEADER_NOT_AVAILABLE'],
  Produce: ['NOT_LEADER_OR_FOLLOWER', 'NOT_ENOUGH_REPLICAS', 'UNKNOWN_SERVER_ERROR'],
};

function trouble(dice: Dice): Move {
  const request = dice.weighted<Troubled>([
    [4, () => 'OffsetCommit'],
    [4, () => 'Produce'],
    [2, () => 'Heartbeat'],
    [2, () => 'JoinGroup'],
    [2, () => 'SyncGroup'],
    [2, () => 'Fetch'],
    [1, () => 'OffsetFetch'],
    [1, () => 'FindCoordinator'],
    [1, () => 'Metadata'],
  ]);
  const harm = dice.weighted<Harm>([
    [3, () => ({ kind: 'refuse', error: dice.pick(REFUSALS[request]) })],
    [2, () => ({ kind: 'close-after' })],
    [1, () => ({ kind: 'close-before' })],
    [1, () => ({ kind: 'swallow' })],
  ]);
  return { kind: 'trouble', request, harm, times: dice.between(1, 3) };
}

function fetchFails(dice: Dice, partition: number): Move {
  const error = dice.pick<KafkaErrorName>([
    'NOT_LEADER_OR_FOLLOWER',
    'UNKNOWN_TOPIC_OR_PARTITION',
    'UNKNOWN_SERVER_ERROR',
    'CORRUPT_MESSAGE',
  ]);
  return { kind: 'fetch-fails', partition, error, times: dice.between(1, 4) };
}
