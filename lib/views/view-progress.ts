import { partitionName, type TopicPartition } from '../kafka/records.js';
import type { ViewPosition } from './view-store.js';

/** Looks that are remembered while they are not reached: older ones make room, the oldest stays. */
const MAX_LOOKS = 120;

/** Where the log ended at some time. */
interface Look {
  readonly at: number;
  readonly ends: readonly ViewPosition[];
}

/**
 * How far a generation is known to be, and how old what it shows may be.
 *
 * Its age is the time since the latest look at the log's end that it has reached since: whatever was in the
 * log at that time is in it.
 */
export class ViewProgress {
  readonly #positions = new Map<string, ViewPosition>();
  /** Not reached yet, oldest first. */
  #looks: Look[] = [];
  #latest: Look | null = null;
  #reachedAt: number | null = null;
  readonly #waiting = new Set<() => void>();

  get positions(): readonly ViewPosition[] {
    return [...this.#positions.values()];
  }

  /** When the log was last seen to end where this is by now; null before the first time. */
  get reachedAt(): number | null {
    return this.#reachedAt;
  }

  /** Records of the log, as last seen, that are not in it; null before the first look. */
  get recordsBehind(): number | null {
    return this.#latest === null ? null : this.behind(this.#latest.ends);
  }

  /** Records up to where the log ended at the last look; null before the first. */
  get records(): number | null {
    return this.#latest?.ends.reduce((sum, { offset }) => sum + Number(offset), 0) ?? null;
  }

  offsetOf(partition: TopicPartition): bigint {
    return this.#positions.get(partitionName(partition))?.offset ?? 0n;
  }

  /** How many offsets are between it and these positions. */
  behind(positions: readonly ViewPosition[]): number {
    return positions.reduce((sum, each) => {
      const missing = each.offset - this.offsetOf(each);
      return missing > 0n ? sum + Number(missing) : sum;
    }, 0);
  }

  /** Takes note of positions; what is known to be further stays so. */
  learn(positions: readonly ViewPosition[]): void {
    let hasMoved = false;
    for (const each of positions) {
      if (each.offset <= this.offsetOf(each)) continue;
      this.#positions.set(partitionName(each), each);
      hasMoved = true;
    }
    if (hasMoved) this.#moved();
  }

  /** Takes note of where the log ended, as asked for at that time. */
  look(at: number, ends: readonly ViewPosition[]): void {
    this.#latest = { at, ends };
    this.#looks.push(this.#latest);
    if (this.#looks.length > MAX_LOOKS) this.#looks = this.#looks.filter((_, i) => i % 2 === 0);
    this.#moved();
  }

  /** Calls `fn` whenever it has come further; answers how to stop that. */
  onMove(fn: () => void): () => void {
    this.#waiting.add(fn);
    return () => this.#waiting.delete(fn);
  }

  #moved(): void {
    const open = this.#looks.findIndex(({ ends }) => this.behind(ends) > 0);
    const reached = this.#looks.splice(0, open < 0 ? this.#looks.length : open);
    this.#reachedAt = reached.at(-1)?.at ?? this.#reachedAt;
    for (const fn of [...this.#waiting]) fn();
  }
}
