import { Dice } from './dice.js';
import { handlingOf, type Handling, type HandlingKind } from './handling.js';
import { movesOf, type Move } from './moves.js';
import { plannedRecord, type PlannedRecord } from './planned-record.js';

/** Also the lease of a claim. */
export const SESSION_MS = 10_000;

/** Everything that will be done to one group, as data: a seed makes the same each time. */
export interface Plan {
  readonly seed: number;
  readonly handling: Handling;
  readonly partitions: number;
  readonly members: number;
  readonly concurrency: number;
  readonly maxSpan: number;
  readonly bursts: readonly { readonly atMs: number; readonly records: readonly PlannedRecord[] }[];
  readonly moves: readonly (Move & { readonly atMs: number })[];
  /** When all faults end. */
  readonly calmAtMs: number;
}

/** @param kind of handling, where it is not left to the dice. */
export function planOf(seed: number, kind?: HandlingKind): Plan {
  const dice = new Dice(seed);
  const handling = handlingOf(dice, kind);
  const partitions = dice.between(1, 4);
  const calmAtMs = dice.between(8_000, 25_000);
  return {
    seed,
    handling,
    partitions,
    members: dice.between(1, 3),
    concurrency: dice.pick([1, 2, 8]),
    maxSpan: dice.pick([4, 12, 10_000]),
    bursts: bursts(dice, handling, partitions, calmAtMs),
    moves: movesOf(dice, handling, partitions, calmAtMs),
    calmAtMs,
  };
}

function bursts(
  dice: Dice,
  handling: Handling,
  partitions: number,
  calmAtMs: number,
): Plan['bursts'] {
  const earlier: PlannedRecord[] = [];
  return Array.from({ length: dice.between(2, 5) }, (_, burst) => ({
    atMs: burst === 0 ? 0 : dice.between(0, calmAtMs),
    records: Array.from({ length: dice.between(5, 12) }, () => {
      const record = plannedRecord(dice, handling, partitions, earlier);
      earlier.push(record);
      return record;
    }),
  }));
}
