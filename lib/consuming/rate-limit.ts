import type { Clock } from '../contracts/clock.js';

/** At most how often a handler starts in this process. */
export interface RateOptions {
  /** Starts per second, retries included. */
  readonly perSecond: number;
  /** Starts that need not be spaced out, after a pause. Default 1. */
  readonly burst?: number;
}

export type RatePolicy = Required<RateOptions>;

const SECOND = 1000;

/**
 * A line of evenly spaced places, of which so many may be taken at once after a pause: the generic
 * cell rate algorithm (ITU-T I.371), which needs one number and no timer.
 */
export class RateLimit {
  readonly #intervalMs: number;
  readonly #toleranceMs: number;
  /** When the next place is due, if none was taken early. */
  #dueAt = Number.NEGATIVE_INFINITY;

  constructor(
    { perSecond, burst }: RatePolicy,
    private readonly clock: Clock,
  ) {
    this.#intervalMs = SECOND / perSecond;
    this.#toleranceMs = this.#intervalMs * (burst - 1);
  }

  /**
   * Takes the next places in the line; answers how long it is until the first, in milliseconds. What
   * takes several starts at once, and the next one waits for them all.
   */
  reserve(places = 1): number {
    const now = this.clock.now();
    const dueAt = Math.max(this.#dueAt, now);
    this.#dueAt = dueAt + this.#intervalMs * places;
    return Math.max(0, dueAt - this.#toleranceMs - now);
  }
}
