/** What can wait in {@link ExpiryQueues}: its links belong to the queue it waits in. */
export interface Expiring<E> {
  /** When it is due, in milliseconds of the caller's clock. */
  dueAt: number;
  queue: ExpiryQueue<E> | null;
  before: E | null;
  after: E | null;
}

/** Entries of one duration: first in, first due. */
interface ExpiryQueue<E> {
  readonly durationMs: number;
  head: E | null;
  tail: E | null;
}

/**
 * Tells what is due without a timer and without sorting.
 *
 * Entries kept for equally long fall due in the order they came, so one queue for each duration is
 * always in order. Adding, removing and finding what is due cost the same for ten entries as for a
 * million. Made for a handful of durations, which is what configuration gives.
 */
export class ExpiryQueues<E extends Expiring<E>> {
  readonly #queues: ExpiryQueue<E>[] = [];

  /** Adds an entry that waits in no queue; it is due in `durationMs` from `now`. */
  add(entry: E, now: number, durationMs: number): void {
    const queue = this.#queueOf(durationMs);
    entry.dueAt = now + durationMs;
    entry.queue = queue;
    entry.before = queue.tail;
    entry.after = null;
    if (queue.tail === null) queue.head = entry;
    else queue.tail.after = entry;
    queue.tail = entry;
  }

  /** The entry that is due first; null when none waits. */
  first(): E | null {
    let first: E | null = null;
    for (const { head } of this.#queues) {
      if (head !== null && (first === null || head.dueAt < first.dueAt)) first = head;
    }
    return first;
  }

  /** Takes out what is due, at most `limit` of each duration, and hands it over. */
  takeDue(now: number, limit: number, take: (entry: E) => void): void {
    for (const queue of this.#queues) {
      for (let left = limit; left > 0; left--) {
        const { head } = queue;
        if (head === null || head.dueAt > now) break;
        dequeue(head);
        take(head);
      }
    }
  }

  #queueOf(durationMs: number): ExpiryQueue<E> {
    for (const queue of this.#queues) if (queue.durationMs === durationMs) return queue;
    return this.#open(durationMs);
  }

  #open(durationMs: number): ExpiryQueue<E> {
    const queue: ExpiryQueue<E> = { durationMs, head: null, tail: null };
    const unused = this.#queues.findIndex(({ head }) => head === null);
    if (unused < 0) this.#queues.push(queue);
    else this.#queues[unused] = queue;
    return queue;
  }
}

/** Takes an entry out of the queue it waits in, wherever in it that is. */
export function dequeue<E extends Expiring<E>>(entry: E): void {
  const { queue, before, after } = entry;
  if (queue === null) return;
  if (before === null) queue.head = after;
  else before.after = after;
  if (after === null) queue.tail = before;
  else after.before = before;
  entry.queue = entry.before = entry.after = null;
}
