import type { Dice } from './dice.js';
import { attemptsInAll, type Handling } from './handling.js';

export const HANDLERS = { created: ['reserve', 'audit'], shipped: ['reserve'] } as const;
export type HandlerId = (typeof HANDLERS)[keyof typeof HANDLERS][number];

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
  /**
   * How a handler of batches fails with it: it says so of the record, and leaves what comes after it in its
   * key; or it says no more of it than it must, and throws, or goes on behind a poison.
   */
  readonly blames: 'record' | 'call';
  /** How long a handler takes until its effect, and from there to its end. */
  readonly beforeMs: number;
  readonly afterMs: number;
}

/** The next record; perhaps one of the earlier ones again. */
export function plannedRecord(
  dice: Dice,
  handling: Handling,
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
      [handling.kind === 'records' ? 4 : 6, () => 'flaky'],
      [1, () => 'refused'],
      [1, () => 'hopeless'],
      [1, () => 'malformed'],
      [1, () => 'unknown-version'],
      [1, () => 'foreign'],
    ]),
    failures: dice.between(1, handling.retryTopic === null ? 2 : attemptsInAll(handling) - 1),
    blames: dice.chance(0.7) ? 'record' : 'call',
    beforeMs: dice.chance(0.06) ? dice.between(1_000, 15_000) : dice.between(0, 60),
    afterMs: dice.chance(0.06) ? dice.between(500, 5_000) : dice.between(0, 30),
  };
}

/** Whether that handler can never succeed with it. */
export function isPoison({ kind }: PlannedRecord, handler: HandlerId): boolean {
  if (kind === 'malformed') return true;
  return handler === 'reserve' && (kind === 'refused' || kind === 'hopeless');
}

export function handlersOf({ kind, type }: PlannedRecord): readonly HandlerId[] {
  return kind === 'foreign' || kind === 'unknown-version' ? [] : HANDLERS[type];
}
