import type { Clock, TimerHandle } from './clock.js';

/** Where a lease is kept: granted to one owner at a time, by the store's own clock. A call that fails rejects. */
export interface LeaseStore {
  /** Takes the lease, or renews ours: null when we have it, else how long to wait before asking again. */
  take(leaseMs: number): Promise<number | null>;
  /** Gives it back, if it is ours. */
  giveBack(): Promise<void>;
}

export interface LeaseOptions {
  readonly store: LeaseStore;
  readonly leaseMs: number;
  readonly clock: Clock;
  /** Told when it becomes ours, and when it ceases to be. */
  readonly onChange?: (held: boolean) => void;
}

/**
 * The right to do something that one process does at a time.
 *
 *     (not ours) ──take──▶ held ──it runs out, or is refused──▶ (not ours)
 *          └──── giveBack ───┴────▶ given back, for good
 *
 * It is renewed every third of the lease, and ends by our own clock no later than by the store's: a process
 * that was frozen knows before it acts.
 */
export class Lease {
  #until = -Infinity;
  #renewAt = -Infinity;
  #renewal: TimerHandle | null = null;
  #wasHeld = false;
  #isGivenBack = false;

  constructor(private readonly options: LeaseOptions) {}

  get isHeld(): boolean {
    return this.options.clock.now() < this.#until;
  }

  /**
   * Takes the lease where it is free: null when it is ours, else how long to wait before asking again. Asks the
   * store no more than every third of the lease; rejects as that does.
   */
  async take(): Promise<number | null> {
    const { clock, leaseMs } = this.options;
    if (this.isHeld && clock.now() < this.#renewAt) return null;
    const waitMs = await this.#ask();
    return this.isHeld ? null : (waitMs ?? leaseMs / 3);
  }

  /** Gives it back for good; a store that is away lets it run out. */
  async giveBack(): Promise<void> {
    this.#isGivenBack = true;
    this.#stopRenewing();
    this.#until = -Infinity;
    this.#tell();
    await this.options.store.giveBack().catch(() => undefined);
  }

  async #ask(): Promise<number | null> {
    const { store, leaseMs, clock } = this.options;
    // From before the question: the store counts from later on.
    const askedAt = clock.now();
    const waitMs = await store.take(leaseMs);
    if (this.#isGivenBack) {
      // Asked before, granted after it had been given back: nobody would ever give it back again.
      if (waitMs === null) await store.giveBack().catch(() => undefined);
      return waitMs;
    }
    this.#until = waitMs === null ? askedAt + leaseMs : -Infinity;
    this.#renewAt = askedAt + leaseMs / 3;
    this.#stopRenewing();
    if (waitMs === null) this.#renewLater();
    this.#tell();
    return waitMs;
  }

  /** While its holder is at work nobody asks. */
  #renewLater(): void {
    const { clock, leaseMs } = this.options;
    this.#renewal = clock.setTimeout(() => {
      this.#renewal = null;
      if (!this.isHeld) {
        this.#tell();
        return;
      }
      // Where the store is away the lease runs out, or the next try is in time.
      this.#ask().catch(() => {
        if (this.#renewal === null && !this.#isGivenBack) this.#renewLater();
      });
    }, leaseMs / 3);
  }

  #stopRenewing(): void {
    if (this.#renewal !== null) this.options.clock.clearTimeout(this.#renewal);
    this.#renewal = null;
  }

  #tell(): void {
    const { isHeld } = this;
    if (isHeld === this.#wasHeld) return;
    this.#wasHeld = isHeld;
    this.options.onChange?.(isHeld);
  }
}
