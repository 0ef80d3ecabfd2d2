import type { HandlerCourse } from '../handler-course.js';

/** Until somebody says so: its claim is held elsewhere, or its dead letter is on its way. */
export const NOT_BY_TIME = Number.POSITIVE_INFINITY;

/** A record that waits for its batch. */
export class BatchEntry {
  /** When it may be in a batch, by `Clock.now`. */
  readyAt = 0;
  /** The largest batch that it may be in: smaller each time that one of its batches failed whole. */
  share = Number.POSITIVE_INFINITY;
  /** Whether somebody beside the queue brings it to its end; here it only holds up its key. */
  isEnding = false;
  #key: string | null | undefined;

  constructor(
    readonly course: HandlerCourse,
    /** Its place among all entries of its queue: the order of offsets. */
    readonly place: number,
    /** Since when it waits; a batch that is not full waits for so long from then on. */
    public since: number,
    /** Whether it keeps the order of all, not only that of its key. */
    private readonly inLine = false,
  ) {}

  /** Whose order it keeps; null for one that has none to keep. Read only where somebody waits. */
  get key(): string | null {
    if (this.inLine) return '';
    // latin1 maps bytes to characters one to one: different keys stay different.
    this.#key ??= this.course.delivery.envelope.record.key?.toString('latin1') ?? null;
    return this.#key;
  }
}

/** What the next batch would be. */
export interface Choice {
  readonly entries: readonly BatchEntry[];
  /** How many more it could take; 0: it is full. */
  readonly room: number;
  /** Since when the first of them waits. */
  readonly since: number;
  /** With no entries: when one is due, if that is a matter of time. */
  readonly dueAt: number;
}

/**
 * The records of one partition that wait for one handler, in the order of their offsets.
 *
 * What is not ready holds up the later records of its key and no others, so that the order of each
 * key is kept across batches. Who is in a batch is not in here.
 */
export class BatchQueue {
  #entries: BatchEntry[] = [];

  get size(): number {
    return this.#entries.length;
  }

  [Symbol.iterator](): IterableIterator<BatchEntry> {
    return this.#entries.values();
  }

  push(entry: BatchEntry): void {
    this.#entries.push(entry);
  }

  /** The next batch, if it were made now; nothing is taken yet. */
  choose(maxSize: number, now: number): Choice {
    const entries: BatchEntry[] = [];
    const held = new Set<string>();
    let size = maxSize;
    let since = Number.POSITIVE_INFINITY;
    let dueAt = NOT_BY_TIME;
    for (const entry of this.#entries) {
      if (entry.readyAt > now) {
        dueAt = Math.min(dueAt, entry.readyAt);
        if (entry.key !== null) held.add(entry.key);
        continue;
      }
      if (held.size > 0 && entry.key !== null && held.has(entry.key)) continue;
      if (entries.length >= Math.min(size, entry.share)) {
        size = entries.length;
        break;
      }
      size = Math.min(size, entry.share);
      since = Math.min(since, entry.since);
      entries.push(entry);
    }
    return { entries, room: size - entries.length, since, dueAt };
  }

  take(chosen: readonly BatchEntry[]): void {
    if (chosen.every((entry, i) => this.#entries[i] === entry)) {
      this.#entries.splice(0, chosen.length);
      return;
    }
    const taken = new Set(chosen);
    this.#entries = this.#entries.filter((entry) => !taken.has(entry));
  }

  /** Puts back what was taken, each in its place. */
  putBack(entries: readonly BatchEntry[]): void {
    if (entries.length === 0) return;
    this.#entries = [...entries, ...this.#entries].sort((a, b) => a.place - b.place);
  }

  remove(entry: BatchEntry): void {
    const at = this.#entries.indexOf(entry);
    if (at >= 0) this.#entries.splice(at, 1);
  }
}

/** How many of these, from the first on, may share a call. */
export function sizeTogether(entries: readonly BatchEntry[]): number {
  let size = Number.POSITIVE_INFINITY;
  const at = entries.findIndex(({ share }, i) => {
    size = Math.min(size, share);
    return i >= size;
  });
  return at < 0 ? entries.length : at;
}

/** Those that come after one of the waiting with the same key, and so must wait, too. */
export function heldUpBy(
  waiting: readonly BatchEntry[],
  entries: readonly BatchEntry[],
): ReadonlySet<BatchEntry> {
  if (waiting.length === 0) return new Set();
  const from = new Map<string, number>();
  for (const { key, place } of waiting) {
    if (key !== null) from.set(key, Math.min(place, from.get(key) ?? place));
  }
  return new Set(
    entries.filter(({ key, place }) => key !== null && (from.get(key) ?? place) < place),
  );
}
