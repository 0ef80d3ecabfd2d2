import type { Clock, TimerHandle } from '../contracts/clock.js';
import type { IdempotencyStore } from '../idempotency/idempotency-store.js';

/** A poller that is cut off for longer has lost its turn. */
const LEASE_MS = 30_000;
const RENEW_MS = LEASE_MS / 3;

export interface FeedLeaseOptions {
  readonly store: Pick<IdempotencyStore, 'verify' | 'claim' | 'renew' | 'release'>;
  /** The same in all processes, for this feed alone. */
  readonly key: string;
  /** Of this process alone. */
  readonly token: string;
  readonly clock: Clock;
}

/**
 * Has one process at a time poll a feed: a claim in the idempotency store, that is never completed.
 *
 *     (none) ──take──▶ held ──drop──▶ (none)
 *                        └─ not renewed in time, or taken by somebody else ─▶ (none)
 *
 * Two may poll for a moment after one was cut off: they publish the same ids.
 */
export class FeedLease {
  #heldUntil = Number.NEGATIVE_INFINITY;
  #timer: TimerHandle | null = null;
  #verified = false;

  constructor(private readonly options: FeedLeaseOptions) {}

  get held(): boolean {
    return this.options.clock.now() < this.#heldUntil;
  }

  /** Null when it is ours now; else how long to wait before asking again. Rejects as the store does. */
  async take(): Promise<number | null> {
    const { store, key, token, clock } = this.options;
    if (!this.#verified) await store.verify?.();
    this.#verified = true;
    const askedAt = clock.now();
    const [answer] = await store.claim([
      { key, token, leaseMs: LEASE_MS, level: 0, retentionMs: LEASE_MS },
    ]);
    if (answer?.status !== 'claimed') {
      return answer?.status === 'in-progress' ? Math.min(answer.leaseMs, RENEW_MS) : RENEW_MS;
    }
    this.#heldUntil = askedAt + LEASE_MS;
    this.#renewLater();
    return null;
  }

  /** Gives it back, so that somebody else need not wait; what fails is left to the lease. */
  async drop(): Promise<void> {
    const { store, key, token } = this.options;
    this.#stopRenewing();
    if (!this.held) return;
    this.#heldUntil = Number.NEGATIVE_INFINITY;
    try {
      await store.release([{ key, token, attempts: 0, retentionMs: LEASE_MS }]);
    } catch {
      // It runs out by itself.
    }
  }

  #renewLater(): void {
    this.#stopRenewing();
    this.#timer = this.options.clock.setTimeout(() => void this.#renew(), RENEW_MS);
  }

  #stopRenewing(): void {
    if (this.#timer !== null) this.options.clock.clearTimeout(this.#timer);
    this.#timer = null;
  }

  async #renew(): Promise<void> {
    const { store, key, token, clock } = this.options;
    const askedAt = clock.now();
    const timer = this.#timer;
    try {
      const [isOurs] = await store.renew([{ key, token, leaseMs: LEASE_MS }]);
      // Dropped meanwhile.
      if (this.#timer !== timer) return;
      this.#heldUntil = isOurs === true ? askedAt + LEASE_MS : Number.NEGATIVE_INFINITY;
    } catch {
      // The store is away: it is ours until the lease runs out.
    }
    if (this.#timer === timer && this.held) this.#renewLater();
  }
}
