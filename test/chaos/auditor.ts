import { FATES, isPoison, type Fate } from './fate.js';
import type { LedgerEntry } from './ledger.js';

/** A record as an independent reader found it in the topic. */
export interface StoredEvent {
  readonly partition: number;
  readonly offset: number;
  readonly key: string;
  readonly eventId: string;
}

/** A dead letter, by what its headers say. */
export interface StoredDeadLetter {
  /** Of the original record. */
  readonly partition: number;
  readonly offset: number;
  readonly reason: string;
}

export interface Evidence {
  /** Everything in the topic, in order within each partition. */
  readonly records: readonly StoredEvent[];
  readonly deadLetters: readonly StoredDeadLetter[];
  readonly ledger: readonly LedgerEntry[];
  readonly fateOf: (eventId: string) => Fate;
}

/** What must not be, in sentences; each list is empty after a good run. */
export interface Violations {
  /** Acknowledged and not in the topic, or in the topic and never dealt with. */
  readonly lost: string[];
  /** An effect after the idempotency store had confirmed that event's mark. */
  readonly repeated: string[];
  /** An effect after one of a later event of its key; or a topic that holds a key in another order than it was published. */
  readonly disordered: string[];
  /** In the dead-letter topic without being planned poison, planned and not there, or there for another reason. */
  readonly wronglyDead: string[];
  /** Reported by the engine itself. */
  readonly defects: string[];
}

export interface Audit {
  readonly violations: Violations;
  readonly events: number;
  readonly records: number;
  readonly effects: number;
  readonly poison: number;
  /** Allowed, after a crash between an effect and its mark. */
  readonly repeatedBeforeMark: number;
  /** Events with an effect and no mark in the ledger: a process may die before it has told of one. */
  readonly unmarked: number;
  /** Allowed, after a crash between a dead letter and its mark. */
  readonly deadLettersRepeated: number;
}

/** Compares what the topic holds, what the world outside saw, and what was planned. */
export function audit(evidence: Evidence): Audit {
  const { records, deadLetters, ledger } = evidence;
  const first = firstPositions(records);
  const effects = ledger.filter(({ what }) => what === 'effect');
  const effected = new Set(effects.map(({ eventId }) => eventId));
  const letters = new Set(deadLetters.map(positionOf));
  const planned = plannedDeadLetters(evidence, first);
  const repeats = judgeRepeats(ledger);
  return {
    violations: {
      lost: [...missingRecords(ledger, first), ...missingEffects(evidence, first, effected)],
      repeated: repeats.afterMark,
      disordered: [...disorderedEffects(effects, first), ...disorderedRecords(first)],
      wronglyDead: wronglyDead(deadLetters, planned),
      defects: ledger.flatMap(({ what, eventId, by }) =>
        what === 'fault' ? [`${by}: ${eventId}`] : [],
      ),
    },
    events: first.size,
    records: records.length,
    effects: effected.size,
    poison: planned.size,
    repeatedBeforeMark: repeats.beforeMark,
    unmarked: repeats.unmarked,
    deadLettersRepeated: deadLetters.length - letters.size,
  };
}

/** By event, its first record: those that follow are duplicates. In the order of each partition. */
function firstPositions(records: readonly StoredEvent[]): Map<string, StoredEvent> {
  const first = new Map<string, StoredEvent>();
  for (const record of records) {
    if (!first.has(record.eventId)) first.set(record.eventId, record);
  }
  return first;
}

function missingRecords(
  ledger: readonly LedgerEntry[],
  first: ReadonlyMap<string, StoredEvent>,
): string[] {
  const sent = ledger.filter(({ what }) => what === 'sent').map(({ eventId }) => eventId);
  return [...new Set(sent)]
    .filter((eventId) => !first.has(eventId))
    .map((eventId) => `${eventId} was acknowledged and is not in the topic`);
}

function missingEffects(
  { fateOf }: Evidence,
  first: ReadonlyMap<string, StoredEvent>,
  effected: ReadonlySet<string>,
): string[] {
  return [...first.values()]
    .filter(({ eventId }) => !isPoison(fateOf(eventId)) && !effected.has(eventId))
    .map((record) => `${record.eventId} (${positionOf(record)}) had no effect`);
}

function judgeRepeats(ledger: readonly LedgerEntry[]): {
  afterMark: string[];
  beforeMark: number;
  unmarked: number;
} {
  const marked = new Set<string>();
  const effected = new Set<string>();
  const afterMark: string[] = [];
  let beforeMark = 0;
  for (const { what, eventId, by } of ledger) {
    if (what === 'done' || what === 'dead') marked.add(eventId);
    if (what !== 'effect') continue;
    if (marked.has(eventId)) afterMark.push(`${eventId} again, by ${by}, after it was marked`);
    else if (effected.has(eventId)) beforeMark++;
    effected.add(eventId);
  }
  const unmarked = [...effected].filter((eventId) => !marked.has(eventId)).length;
  return { afterMark, beforeMark, unmarked };
}

/** An event may have its effect twice, but not after a later one of its key has had one. */
function disorderedEffects(
  effects: readonly LedgerEntry[],
  first: ReadonlyMap<string, StoredEvent>,
): string[] {
  const latest = new Map<string, StoredEvent>();
  return effects.flatMap(({ eventId, by }) => {
    const record = first.get(eventId);
    if (record === undefined) return [`${eventId} had an effect and is not in the topic`];
    const before = latest.get(record.key);
    if (before !== undefined && record.offset < before.offset) {
      return [`${record.key}: ${eventId} by ${by} after ${before.eventId}, which is later`];
    }
    latest.set(record.key, record);
    return [];
  });
}

/** Producers number the events of a key as they publish them. */
function disorderedRecords(first: ReadonlyMap<string, StoredEvent>): string[] {
  const latest = new Map<string, number>();
  return [...first.values()].flatMap(({ key, eventId }) => {
    const number = Number(eventId.split('-').at(-1));
    const before = latest.get(key) ?? -1;
    if (number < before) return [`${key}: ${eventId} is in the topic after number ${before}`];
    latest.set(key, number);
    return [];
  });
}

/** By original position, the reason. */
function plannedDeadLetters(
  { records, fateOf }: Evidence,
  first: ReadonlyMap<string, StoredEvent>,
): Map<string, string> {
  const planned = new Map<string, string>();
  for (const record of records) {
    const fate = fateOf(record.eventId);
    const reason = FATES[fate];
    // A duplicate of what a handler gave up is recognised; what reaches no handler claims nothing.
    const counts = first.get(record.eventId) === record || fate === 'too-new';
    if (reason !== null && counts) planned.set(positionOf(record), reason);
  }
  return planned;
}

function wronglyDead(
  deadLetters: readonly StoredDeadLetter[],
  planned: ReadonlyMap<string, string>,
): string[] {
  const found = new Map(deadLetters.map((letter) => [positionOf(letter), letter.reason]));
  const wrong = [...found].flatMap(([position, reason]) => {
    const expected = planned.get(position) ?? 'nothing';
    return expected === reason ? [] : [`${position} for ${reason}, planned was ${expected}`];
  });
  const missing = [...planned].filter(([position]) => !found.has(position));
  return [
    ...wrong,
    ...missing.map(([position, reason]) => `${position} is missing, for ${reason}`),
  ];
}

function positionOf({ partition, offset }: { partition: number; offset: number }): string {
  return `${partition}@${offset}`;
}
