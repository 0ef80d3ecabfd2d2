import type { LeaseStore } from '../contracts/lease.js';
import type { IdempotencyStore } from '../idempotency/idempotency-store.js';

/**
 * The lease of a feed: whoever has it polls. It is a claim in the idempotency store, that is never completed.
 *
 * Two may poll for a moment after one was cut off: they publish the same ids.
 */
export class FeedLease implements LeaseStore {
  #isVerified = false;

  /**
   * @param key the same in all processes, for this feed alone.
   * @param token of this process alone.
   */
  constructor(
    private readonly store: Pick<IdempotencyStore, 'verify' | 'claim' | 'release'>,
    private readonly key: string,
    private readonly token: string,
  ) {}

  async take(leaseMs: number): Promise<number | null> {
    const { store, key, token } = this;
    if (!this.#isVerified) await store.verify?.();
    this.#isVerified = true;
    // Whoever holds a claim is given it again, for a lease from now.
    const [answer] = await store.claim([{ key, token, leaseMs, level: 0, retentionMs: leaseMs }]);
    if (answer?.status === 'claimed') return null;
    const restMs = answer?.status === 'in-progress' ? answer.leaseMs : Infinity;
    return Math.min(restMs, leaseMs / 3);
  }

  async giveBack(): Promise<void> {
    const { store, key, token } = this;
    // Nothing is to be remembered of it.
    await store.release([{ key, token, attempts: 0, retentionMs: 1 }]);
  }
}
