/** What stands in a lane. The link is the lanes' own. */
export interface LaneEntry {
  /** Null: a lane of its own. */
  readonly laneKey: string | null;
  nextInLane: this | null;
}

/**
 * The lanes of one partition: entries of one key go one after another, in the order they came.
 *
 * A lane exists while somebody is in it. Whoever is at its head runs; `finish` names the next.
 */
export class Lanes<E extends LaneEntry> {
  readonly #tails = new Map<string, E>();

  /** Lanes with somebody in them. */
  get size(): number {
    return this.#tails.size;
  }

  /** Puts an entry at the end of its lane; answers true when that is also the head. */
  push(entry: E): boolean {
    const { laneKey } = entry;
    if (laneKey === null) return true;
    const tail = this.#tails.get(laneKey);
    this.#tails.set(laneKey, entry);
    if (tail === undefined) return true;
    tail.nextInLane = entry;
    return false;
  }

  /** Takes the head out of its lane; answers the next head, or null when the lane is empty. */
  finish(head: E): E | null {
    const next = head.nextInLane;
    head.nextInLane = null;
    if (next === null && head.laneKey !== null && this.#tails.get(head.laneKey) === head) {
      this.#tails.delete(head.laneKey);
    }
    return next;
  }
}
