import type { Clock } from '../contracts/clock.js';

/** When a handler's failures are an outage of what it depends on, rather than poison. */
export interface OutageOptions {
  /** Records that are looked back on; one counts once, however often it fails. Default 20. */
  readonly records?: number;
  /** Share of them that must have failed retryably, above 0 and up to 1. Default 0.5. */
  readonly failing?: number;
  /** No two probes are further apart, in milliseconds. Default 30 s. */
  readonly maxProbeDelayMs?: number;
}

/** Outage options with every default filled in. */
export type OutagePolicy = Readonly<Required<OutageOptions>>;

const FIRST_PROBE_MS = 1_000;

/** What a failure means: an attempt like any other, or an outage that has begun or goes on. */
export type FailureMeaning = 'attempt' | 'outage-begins' | 'outage';

/**
 * Tells an outage from poison, for one handler in one process: when most of its recent records
 * failed retryably, it holds everything and lets one record at a time try, with growing delays,
 * until one succeeds.
 *
 *     closed ──most of the last records failed──▶ open ──any attempt succeeds──▶ closed
 *                                                 │ ▲
 *                                                 └─┘ a probe fails: the next one, later
 *
 * Records count, not attempts: a few that fail again and again, while nothing else comes, are poison.
 *
 * Which record probes changes, so that poison among them does not prolong an outage that is over.
 */
export class OutageBreaker {
  /** Whether each of the last records failed; a ring. */
  #failed: boolean[] = [];
  #next = 0;
  #failures = 0;
  #outage: { readonly error: Error; readonly since: number } | null = null;
  #era = 0;
  #probing = false;
  #probeDelayMs = FIRST_PROBE_MS;
  #probeAt = 0;
  readonly #waiting = new Set<() => void>();

  constructor(
    private readonly policy: OutagePolicy,
    private readonly clock: Pick<Clock, 'now'>,
  ) {}

  /** Why everything is held, and since when by `Clock.now`; null when it is not. */
  get outage(): { readonly error: Error; readonly since: number } | null {
    return this.#outage;
  }

  /** Whether an attempt may begin now. In an outage the first that asks in time probes, no other. */
  admit(): 'go' | 'probe' | 'wait' {
    if (this.#outage === null) return 'go';
    if (this.#probing || this.clock.now() < this.#probeAt) return 'wait';
    this.#probing = true;
    return 'probe';
  }

  /** How long until somebody may ask again, in milliseconds. */
  get waitMs(): number {
    // While a probe is under way its end wakes all; this is for a probe that does not come back.
    if (this.#probing) return this.policy.maxProbeDelayMs;
    return Math.max(0, this.#probeAt - this.clock.now());
  }

  /** Calls `fn` once when it is worth asking again; answers how to unsubscribe. */
  onChange(fn: () => void): () => void {
    this.#waiting.add(fn);
    return () => this.#waiting.delete(fn);
  }

  /** An attempt succeeded; true when that ended an outage. */
  succeeded(): boolean {
    this.#record(false);
    if (this.#outage === null) return false;
    this.#outage = null;
    this.#probing = false;
    this.#probeDelayMs = FIRST_PROBE_MS;
    this.#failed = [];
    this.#next = this.#failures = 0;
    this.#era++;
    this.#wake();
    return true;
  }

  /** Grows with each outage that ends: what failed before counts anew. */
  get era(): number {
    return this.#era;
  }

  /**
   * An attempt failed retryably.
   *
   * @param counts whether it is its record's first failure of this era.
   */
  failed(error: Error, { asProbe, counts }: { asProbe: boolean; counts: boolean }): FailureMeaning {
    if (this.#outage !== null) {
      if (asProbe) this.#probeLater();
      return 'outage';
    }
    if (counts) this.#record(true);
    const { records, failing } = this.policy;
    if (this.#failures < records * failing) return 'attempt';
    this.#outage = { error, since: this.clock.now() };
    this.#probeAt = this.clock.now() + this.#probeDelayMs;
    return 'outage-begins';
  }

  /** A probe ended without an answer to the question: somebody else may probe at once. */
  probeGivenUp(): void {
    if (!this.#probing) return;
    this.#probing = false;
    this.#wake();
  }

  #probeLater(): void {
    this.#probing = false;
    this.#probeDelayMs = Math.min(this.#probeDelayMs * 2, this.policy.maxProbeDelayMs);
    this.#probeAt = this.clock.now() + this.#probeDelayMs;
    this.#wake();
  }

  #record(failed: boolean): void {
    const { records } = this.policy;
    if (this.#failed[this.#next] === true) this.#failures--;
    if (failed) this.#failures++;
    this.#failed[this.#next] = failed;
    this.#next = (this.#next + 1) % records;
  }

  #wake(): void {
    const woken = [...this.#waiting];
    this.#waiting.clear();
    for (const wake of woken) wake();
  }
}
