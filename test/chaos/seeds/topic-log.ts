import type { Place } from './topics.js';

/** What the brokers have of one topic, and how far its group has committed it. */
export class TopicLog<T> {
  readonly #log = new Map<number, T[]>();
  readonly #committed = new Map<number, number>();
  /** Records that are not committed yet. */
  uncommitted = 0;

  constructor(readonly topic: string) {}

  /** Answers where they are; nowhere new, where a broker answers again for what it has already. */
  append({ partition, offset }: Place, records: readonly T[]): Place[] {
    const log = this.#log.get(partition) ?? [];
    this.#log.set(partition, log);
    if (offset !== log.length) return [];
    this.uncommitted += records.length;
    return records.map((record) => ({ partition, offset: log.push(record) - 1 }));
  }

  /** Answers what this commit passes; nothing where it goes back. */
  commit({ partition, offset }: Place): Place[] {
    const before = this.#committed.get(partition) ?? 0;
    this.#committed.set(partition, offset);
    this.uncommitted -= offset - before;
    return placesOf(partition, before, offset);
  }

  committed(partition: number): number {
    return this.#committed.get(partition) ?? 0;
  }

  has({ partition, offset }: Place): boolean {
    return offset < (this.#log.get(partition)?.length ?? 0);
  }

  at(place: Place): T {
    const record = this.#log.get(place.partition)?.[place.offset];
    if (record === undefined) throw new RangeError(`there is nothing at ${this.nameOf(place)}`);
    return record;
  }

  /** Those before it, in its partition. */
  before({ partition, offset }: Place): Place[] {
    return placesOf(partition, 0, offset);
  }

  get places(): Place[] {
    return [...this.#log].flatMap(([partition, { length }]) => placesOf(partition, 0, length));
  }

  /** For people. */
  nameOf({ partition, offset }: Place): string {
    return `${this.topic}/${String(partition)}@${String(offset)}`;
  }
}

function placesOf(partition: number, from: number, to: number): Place[] {
  return Array.from({ length: Math.max(0, to - from) }, (_, i) => ({
    partition,
    offset: from + i,
  }));
}
