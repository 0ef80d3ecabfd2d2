import type { TopicPartition } from '../../../lib/kafka/records.js';
import type { KafkaErrorName } from '../../../lib/testing/embedded-kafka/wire/kafka-error.js';
import type { Dice } from './dice.js';

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

/** The next requests of one kind that any member sends. */
export interface Trouble {
  readonly kind: 'trouble';
  readonly request: Troubled;
  readonly harm: Harm;
  readonly times: number;
}

/** Answers to fetches that are refused for one partition. */
export interface FetchTrouble {
  readonly kind: 'fetch-fails';
  readonly of: TopicPartition;
  readonly error: KafkaErrorName;
  readonly times: number;
}

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

export function trouble(dice: Dice): Trouble {
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

export function fetchTrouble(dice: Dice, of: TopicPartition): FetchTrouble {
  const error = dice.pick<KafkaErrorName>([
    'NOT_LEADER_OR_FOLLOWER',
    'UNKNOWN_TOPIC_OR_PARTITION',
    'UNKNOWN_SERVER_ERROR',
    'CORRUPT_MESSAGE',
  ]);
  return { kind: 'fetch-fails', of, error, times: dice.between(1, 4) };
}
