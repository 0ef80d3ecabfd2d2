/** A delivered record as the tracker knows it. */
export interface TrackedOffset {
  readonly offset: bigint;
  /** Where the partition goes on after this record: past any gap that follows it. */
  readonly nextOffset: bigint;
  /** Written by the tracker alone. */
  settled: boolean;
}

/** Slots given back to the array once this many lie before the head. */
const COMPACT_AT = 1024;

/**
 * How far the offset of one partition may move.
 *
 * Records are delivered in offset order, with gaps, and settle in any order. The watermark is the
 * `nextOffset` of the longest prefix of delivered records that are all settled: it never passes an
 * unsettled record and never goes back.
 */
export class OffsetTracker<R extends TrackedOffset = TrackedOffset> {
  readonly #records: R[] = [];
  #head = 0;
  #delivered: bigint | null = null;
  #watermark: bigint | null = null;

  /** The next offset to commit; null until a record has settled. */
  get watermark(): bigint | null {
    return this.#watermark;
  }

  /** Records from the oldest unsettled one to the newest delivered one. */
  get span(): number {
    return this.#records.length - this.#head;
  }

  /** The record the watermark waits for; null when everything is settled. */
  get oldest(): R | null {
    return this.#records[this.#head] ?? null;
  }

  /**
   * Takes a record on. Answers false for one that was delivered before (the fetch position goes
   * back to the committed offset at every rejoin): it is in progress or settled already.
   */
  deliver(record: R): boolean {
    if (this.#delivered !== null && record.offset < this.#delivered) return false;
    this.#delivered = record.nextOffset;
    this.#records.push(record);
    return true;
  }

  /**
   * Moves past what is nobody's to see (control records, aborted transactions) after the last
   * delivered record; answers true when the watermark moved with it.
   */
  skipTo(nextOffset: bigint): boolean {
    if (this.#delivered !== null && nextOffset <= this.#delivered) return false;
    this.#delivered = nextOffset;
    if (this.span > 0) return false;
    this.#watermark = nextOffset;
    return true;
  }

  /** Settles a delivered record; answers true when the watermark moved. Settling twice is harmless. */
  settle(record: R): boolean {
    record.settled = true;
    if (this.#records[this.#head] !== record) return false;
    for (let next: R | undefined = record; next?.settled; next = this.#records[this.#head]) {
      this.#watermark = next.nextOffset;
      this.#head++;
    }
    if (this.span === 0) this.#watermark = this.#delivered;
    if (this.#head >= COMPACT_AT && this.#head * 2 >= this.#records.length) {
      this.#records.splice(0, this.#head);
      this.#head = 0;
    }
    return true;
  }

  /** The records not settled yet, oldest first. */
  *unsettled(): IterableIterator<R> {
    for (const record of this.pending()) if (!record.settled) yield record;
  }

  /** The records that the watermark has not passed, settled or not, oldest first. */
  *pending(): IterableIterator<R> {
    for (let i = this.#head; i < this.#records.length; i++) {
      const record = this.#records[i];
      if (record !== undefined) yield record;
    }
  }
}
