import type { Clock } from '../contracts/clock.js';

/** Bounds in which a handler's concurrency follows how long its calls take. */
export interface AdaptiveOptions {
  /** Never more records at once. */
  readonly max: number;
  /** Never fewer; it starts there. Default 1. */
  readonly min?: number;
  /** How many times its duration without load a call may take, above 1. Default 1.5. */
  readonly tolerance?: number;
}

/** Adaptive options with every default filled in. */
export type AdaptivePolicy = Readonly<Required<AdaptiveOptions>>;

/** One call of the handler, at its end. */
export interface EndedCall {
  /** By the clock, in milliseconds. */
  readonly startedAt: number;
  readonly durationMs: number;
  /** It failed or ran out of time, and its event is not to blame. */
  readonly failed: boolean;
  /** As many ran as were allowed. */
  readonly full: boolean;
}

/** A window is so many times the limit: its length follows the handler's own pace. */
const ROUNDS = 8;
const FEWEST_CALLS = 20;
/** The clock tells nothing finer apart. */
const TICK_MS = 1;
const HALF = 0.5;
/** More failures than this are taken for overload: who sheds load does so quickly. */
const FAILING = 0.1;
const FACTOR_WHEN_FAILING = 0.75;
/** The floor goes down by this share of the difference: one lucky window does not make it. */
const FALL = 0.25;
/** A mean of up to so many times the floor confirms it; below the inverse it was wrong. */
const CONFIRMING = 1.2;
/** Windows without such a confirmation before the floor is looked for. */
const PATIENCE = 20;

/**
 * How many calls of a handler may run at once, found by how long they take.
 *
 * Calls are judged by windows. Their mean duration without load is the *floor*, and the limit goes to
 * where a call takes `tolerance` times that. Until a queue forms in what the handler calls, durations stay
 * at the floor and the limit grows by that factor; in a queue they grow with the limit, so that a single
 * window says how far to go back. Windows in which the limit was not needed do not change it.
 *
 * The floor falls to what is seen below it. It rises only where going back was in vain: if half as many
 * take as long, it is not their number that makes them slow. Where it has not been confirmed for long the
 * limit is halved to look for it: it may date from a time when there was a queue without us.
 */
export class AdaptiveLimit {
  #limit: number;
  #floorMs: number | null = null;
  /** Windows in a row whose calls took longer than is tolerated. */
  #slow = 0;
  /** Where going back began; null while it does not. */
  #from: { readonly limit: number; readonly meanMs: number } | null = null;
  /** Windows since the floor was confirmed. */
  #unconfirmed = 0;
  #searching = false;
  #changedAt = Number.NEGATIVE_INFINITY;
  #calls = 0;
  #failed = 0;
  #full = 0;
  #sumMs = 0;

  constructor(
    private readonly policy: AdaptivePolicy,
    private readonly clock: Clock,
  ) {
    this.#limit = policy.min;
  }

  get limit(): number {
    return this.#limit;
  }

  /** Mean duration of a call without load, in milliseconds; null before it is known. */
  get floorMs(): number | null {
    return this.#floorMs;
  }

  /** Takes a call into account; answers whether the limit has changed. */
  ended({ startedAt, durationMs, failed, full }: EndedCall): boolean {
    // It ran beside as many as were allowed before.
    if (startedAt < this.#changedAt) return false;
    this.#calls++;
    if (full) this.#full++;
    if (failed) this.#failed++;
    else this.#sumMs += durationMs;
    return this.#calls >= Math.max(FEWEST_CALLS, ROUNDS * this.#limit) && this.#endWindow();
  }

  #endWindow(): boolean {
    const limit = this.#bounded(this.#limit * this.#judge());
    this.#calls = this.#failed = this.#full = this.#sumMs = 0;
    if (limit === this.#limit) return false;
    this.#limit = limit;
    this.#changedAt = this.clock.now();
    return true;
  }

  /** By what the limit is to be multiplied. */
  #judge(): number {
    if (this.#failed > this.#calls * FAILING) return FACTOR_WHEN_FAILING;
    const meanMs = Math.max(TICK_MS, this.#sumMs / (this.#calls - this.#failed));
    const floorMs = (this.#floorMs ??= meanMs);
    if (this.#searching && meanMs * CONFIRMING < floorMs) {
      this.#floorMs = meanMs;
      return HALF;
    }
    this.#searching = false;
    if (meanMs < floorMs) this.#floorMs = floorMs - (floorMs - meanMs) * FALL;
    if (this.#full * 2 < this.#calls) return 1;
    return this.#beginSearch(meanMs, floorMs) ? HALF : this.#factorAt(meanMs, floorMs);
  }

  /** Answers whether it is time for one. */
  #beginSearch(meanMs: number, floorMs: number): boolean {
    this.#unconfirmed = meanMs <= floorMs * CONFIRMING ? 0 : this.#unconfirmed + 1;
    this.#searching = this.#unconfirmed >= PATIENCE;
    if (this.#searching) this.#unconfirmed = 0;
    return this.#searching;
  }

  #factorAt(meanMs: number, floorMs: number): number {
    const { tolerance } = this.policy;
    if (meanMs <= floorMs * tolerance) {
      this.#slow = 0;
      this.#from = null;
    } else if (this.#goBackInVain(meanMs)) {
      this.#floorMs = meanMs;
      return tolerance;
    }
    return Math.min(tolerance, Math.max(HALF, (tolerance * floorMs) / meanMs));
  }

  /** Notes a slow window; answers whether half as many, or as few as are allowed, are no quicker. */
  #goBackInVain(meanMs: number): boolean {
    // The first slow window holds calls from before it got slow: it is nothing to compare with.
    if (++this.#slow < 2) return false;
    this.#from ??= { limit: this.#limit, meanMs };
    const { limit, meanMs: before } = this.#from;
    if (this.#limit > Math.max(limit * HALF, this.policy.min)) return false;
    this.#from = null;
    // In a queue, calls become quicker by as much as they are fewer. Half of that must show.
    return meanMs >= (before * (1 + this.#limit / limit)) / 2;
  }

  /** A step is one at least. */
  #bounded(wanted: number): number {
    const { min, max } = this.policy;
    const whole = wanted > this.#limit ? Math.ceil(wanted) : Math.floor(wanted);
    return Math.min(max, Math.max(min, whole));
  }
}
