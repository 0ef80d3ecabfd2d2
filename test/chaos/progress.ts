import type { LedgerEntry } from './ledger.js';

/** A time in which a partition had events to be handled and none was. */
export interface Pause {
  readonly partition: number;
  readonly from: number;
  readonly to: number;
}

/** From the deed to its undoing, on the clock of the ledger. */
export interface Happened {
  readonly kind: string;
  readonly from: number;
  readonly to: number;
}

/** A group needs a moment after a fault is undone; a pause that begins then is still its doing. */
const AFTERMATH_MS = 3_000;
/** A pause begins with the last effect before the fault, or with the first event that waits for one. */
const FORESHADOW_MS = 1_000;

/** The pauses of a run, longer than `least`. Events that nobody handles are left out. */
export function pausesIn(
  ledger: readonly LedgerEntry[],
  isHandled: (eventId: string) => boolean,
  least: number,
): Pause[] {
  const pauses: Pause[] = [];
  const partitionOf = new Map<string, number>();
  const waiting = new Map<number, Set<string>>();
  const since = new Map<number, number>();
  const effected = new Set<string>();

  for (const { what, eventId, at, partition } of ledger) {
    if (what === 'sent' && partition !== undefined && isHandled(eventId)) {
      partitionOf.set(eventId, partition);
      // The news of an effect may be faster than that of the acknowledgement.
      if (effected.has(eventId)) continue;
      const events = waiting.get(partition) ?? new Set();
      waiting.set(partition, events.add(eventId));
      if (events.size === 1) since.set(partition, at);
    }
    if (what !== 'effect') continue;
    effected.add(eventId);
    const where = partitionOf.get(eventId);
    if (where === undefined) continue;
    const from = since.get(where) ?? at;
    if (at - from > least) pauses.push({ partition: where, from, to: at });
    since.set(where, at);
    waiting.get(where)?.delete(eventId);
  }
  return pauses;
}

/** By kind of fault, the longest pause that began under it; `no fault` for what is left. */
export function longestPauses(
  pauses: readonly Pause[],
  happened: readonly Happened[],
): Map<string, number> {
  const longest = new Map<string, number>();
  for (const pause of pauses) {
    for (const kind of causesOf(pause, happened)) {
      longest.set(kind, Math.max(longest.get(kind) ?? 0, pause.to - pause.from));
    }
  }
  return longest;
}

/** The kinds of fault under which a pause began. */
export function causesOf({ from }: Pause, happened: readonly Happened[]): readonly string[] {
  const near = happened.filter(
    (fault) => from > fault.from - FORESHADOW_MS && from < fault.to + AFTERMATH_MS,
  );
  return near.length > 0 ? [...new Set(near.map(({ kind }) => kind))] : ['no fault'];
}
