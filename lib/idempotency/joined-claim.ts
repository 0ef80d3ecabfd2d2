import type { IdempotencyStore } from './idempotency-store.js';

/** A claim that the handler's own transaction completes: what a store needs to know of it. */
export interface JoinedClaim {
  /** That it was taken in. */
  readonly store: IdempotencyStore;
  readonly key: string;
  /** Of its holder. */
  readonly token: string;
  readonly level: number;
  /** How long the mark is to be remembered. */
  readonly retentionMs: number;
}

/** Holds the claim of an event while its handler runs. */
export interface ClaimHolder {
  /**
   * The claim, and from now on the knowledge that its mark may be committed by the handler itself; null
   * where there is none.
   */
  joinClaim(): JoinedClaim | null;
}
