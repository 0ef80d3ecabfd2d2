import type { BatchPolicy } from '../../../lib/consuming/handler-options.js';
import type { Dice } from './dice.js';

export const HANDLING_KINDS = [
  'records',
  'hold-key',
  'batches',
  'retry-topic',
  'batches-retry-topic',
] as const;
export type HandlingKind = (typeof HANDLING_KINDS)[number];

/** How the handlers of a plan take their records, and try again. */
export interface Handling {
  readonly kind: HandlingKind;
  /** Of `reserve`, until it gives a record up or parks it. */
  readonly attempts: number;
  /** Null: both handlers take one record at a time. */
  readonly batch: PlannedBatch | null;
  /** Where `reserve` parks what it gives up; null: nowhere. */
  readonly retryTopic: PlannedRetryTopic | null;
  /** Whether a dead letter of `reserve` holds its key, until an operator lets it go. */
  readonly holdsKeys: boolean;
}

export interface PlannedBatch extends BatchPolicy {
  /** Whether handlers settle each record as soon as it took effect; else they leave it to their return. */
  readonly settles: boolean;
}

export interface PlannedRetryTopic {
  readonly partitions: number;
  readonly delaysMs: readonly number[];
}

/** @param kind of the dice's choice, where it is not given. */
export function handlingOf(dice: Dice, kind?: HandlingKind): Handling {
  const rolled = dice.weighted<HandlingKind>([
    [6, () => 'records'],
    [1, () => 'hold-key'],
    [2, () => 'batches'],
    [2, () => 'retry-topic'],
    [1, () => 'batches-retry-topic'],
  ]);
  const chosen = kind ?? rolled;
  const parks = chosen.endsWith('retry-topic');
  return {
    kind: chosen,
    attempts: parks ? dice.between(1, 2) : 4,
    batch: chosen.startsWith('batches') ? plannedBatch(dice) : null,
    retryTopic: parks ? plannedRetryTopic(dice) : null,
    holdsKeys: chosen === 'hold-key',
  };
}

/** After so many failures a record is dead-lettered, whichever handler it is. */
export function attemptsInAll({ attempts, retryTopic }: Handling): number {
  return attempts + (retryTopic?.delaysMs.length ?? 0);
}

function plannedBatch(dice: Dice): PlannedBatch {
  return {
    maxSize: dice.pick([2, 4, 8]),
    maxWaitMs: dice.between(0, 400),
    settles: dice.chance(0.5),
  };
}

function plannedRetryTopic(dice: Dice): PlannedRetryTopic {
  const delay = (): number => dice.between(200, 12_000);
  return {
    partitions: dice.between(1, 2),
    delaysMs: Array.from({ length: dice.between(1, 3) }, delay),
  };
}
