import type { TopicPartition } from '../../../lib/kafka/records.js';
import type { Dice } from './dice.js';
import type { Handling } from './handling.js';
import { RETRY_TOPIC, TOPIC } from './topics.js';
import { fetchTrouble, trouble, type FetchTrouble, type Trouble } from './trouble.js';

export const BROKERS = 3;
/** How many members there may be at once. */
export const SLOTS = 4;

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
] as const;
const PARKING_POINTS = ['before the park', 'after the park'] as const;

/** A moment in a process's life at which it may end. */
export type CrashPoint = (typeof CRASH_POINTS | typeof PARKING_POINTS)[number];

export type StoreCall = 'claim' | 'start' | 'complete' | 'release';

export type Move =
  | { readonly kind: 'kill' | 'leave' | 'expire' | 'reset-link'; readonly slot: number }
  | { readonly kind: 'crash-at'; readonly point: CrashPoint; readonly nth: number }
  | { readonly kind: 'join' | 'rebalance' }
  | { readonly kind: 'freeze-link'; readonly slot: number; readonly ms: number }
  | { readonly kind: 'move-leader'; readonly of: TopicPartition; readonly nodeId: number }
  | { readonly kind: 'move-coordinator'; readonly nodeId: number }
  | { readonly kind: 'broker-down'; readonly nodeId: number; readonly ms: number }
  | Trouble
  | FetchTrouble
  | { readonly kind: 'store-away'; readonly ms: number }
  | {
      readonly kind: 'store-fails';
      readonly call: StoreCall;
      readonly done: boolean;
      readonly times: number;
    };

export function movesOf(
  dice: Dice,
  { retryTopic }: Handling,
  partitions: number,
  calmAtMs: number,
): (Move & { readonly atMs: number })[] {
  const parkedIn = retryTopic?.partitions ?? 0;
  const chosen = Array.from({ length: dice.between(4, 12) }, () => {
    const at = dice.between(0, partitions + parkedIn - 1);
    const of =
      at < partitions
        ? { topic: TOPIC, partition: at }
        : { topic: RETRY_TOPIC, partition: at - partitions };
    return { atMs: dice.between(50, calmAtMs), ...move(dice, of, retryTopic !== null) };
  }).sort((one, other) => one.atMs - other.atMs);
  // A second renewal missed in a row would end a lease, and that is a crash by other means.
  const firstOutage = chosen.findIndex(({ kind }) => kind === 'store-away');
  return chosen.filter(({ kind }, i) => kind !== 'store-away' || i === firstOutage);
}

function move(dice: Dice, of: TopicPartition, parks: boolean): Move {
  const slot = dice.between(0, SLOTS - 1);
  const nodeId = dice.between(0, BROKERS - 1);
  return dice.weighted<Move>([
    [3, () => ({ kind: 'kill', slot })],
    [6, () => crash(dice, dice.pick(CRASH_POINTS))],
    [parks ? 3 : 0, () => crash(dice, dice.pick(PARKING_POINTS))],
    [3, () => ({ kind: 'join' })],
    [2, () => ({ kind: 'leave', slot })],
    [2, () => ({ kind: 'rebalance' })],
    [2, () => ({ kind: 'expire', slot })],
    [1, () => ({ kind: 'reset-link', slot })],
    [3, () => ({ kind: 'freeze-link', slot, ms: dice.between(200, 18_000) })],
    [2, () => ({ kind: 'move-leader', of, nodeId })],
    [2, () => ({ kind: 'move-coordinator', nodeId })],
    [1, () => ({ kind: 'broker-down', nodeId, ms: dice.between(200, 6_000) })],
    [8, () => trouble(dice)],
    [2, () => fetchTrouble(dice, of)],
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

function crash(dice: Dice, point: CrashPoint): Move {
  return { kind: 'crash-at', point, nth: dice.between(1, 4) };
}
