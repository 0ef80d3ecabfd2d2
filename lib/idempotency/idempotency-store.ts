import type { MaybePromise } from '../contracts/maybe-promise.js';

/**
 * The idempotency port: remembers which handler is done with which event.
 *
 * A key's entry moves like this; every other move is refused by the fencing token:
 *
 *     (absent) ──claim──▶ claimed(token, leaseUntil, attempts)
 *     claimed ──complete──▶ done | parked(level) | dead(replay)      kept for `retentionMs`
 *     claimed ──release──▶ free(attempts)                            kept for `retentionMs`
 *     claimed ──lease runs out──▶ free(attempts), for whoever claims next
 *                                                                    kept for the claim's `retentionMs`
 *     parked(level), dead(replay) ──claim with a higher level──▶ claimed
 *
 * A claim that ends without a mark keeps its level: claims of lower levels are answered `parked`, since
 * the record of that level is still to come.
 *
 * A store that outlives the process also keeps suspicions, if it can: see `start`.
 *
 * Duties of the engine: tokens are unique; a key claimed is completed or released, or left to its
 * lease. Duties of a store: each call is atomic per key; the lease clock is the store's own; what a
 * call answered stays true through a restart of the engine (a memory store lives as long as its
 * process). A call that fails must reject with any error; the engine treats it as "unknown", never
 * as "done".
 */
export interface IdempotencyStore {
  /** For messages and health, for example `memory`. */
  readonly name: string;
  /**
   * True when every call answers synchronously from this process's memory. The engine then does not
   * coalesce calls, and warns when the group has another member, which such a store cannot see.
   */
  readonly inProcess: boolean;
  /**
   * Called before the first claim, and again when it has failed.
   *
   * Rejects with a StoreUnavailableError where the store cannot be reached: the boot then goes as
   * `onUnavailable` says. Any other rejection fails the boot.
   */
  verify?(): MaybePromise<void>;
  /**
   * Claims keys for running; one answer per request, in order. A key asked for twice is answered as by
   * two calls. Whoever holds a claim is given it again under the same token: the answer to the first
   * call may have been lost.
   */
  claim(requests: readonly ClaimRequest[]): MaybePromise<readonly ClaimAnswer[]>;
  /**
   * Ends claims. Answers true when the entry was ours (completed before by us included: the mark then
   * lasts from now), free or absent; false when somebody else has or had it: then nothing changes.
   */
  complete(completions: readonly Completion[]): MaybePromise<readonly boolean[]>;
  /** Gives claims back with their attempt counts; entries that are not ours are left alone. */
  release(releases: readonly Release[]): MaybePromise<void>;
  /**
   * Extends the leases of claims still ours; false for those that are not. A lease that ran out may be
   * extended as long as nobody else has claimed.
   */
  renew(renewals: readonly Renewal[]): MaybePromise<readonly boolean[]>;
  /**
   * Only of stores that outlive the process: notes that the handlers of these claims are about to run;
   * false for claims that are not ours any more.
   *
   * Whoever takes over a claim whose lease ran out is answered with a {@link Suspicion}, since a process
   * may have died of it; a claim that was noted here counts as a crash. The suspicion lasts as the
   * attempts do, and until the entry is completed, or released by a holder who had noted it: its
   * handler came back.
   */
  start?(starts: readonly Start[]): MaybePromise<readonly boolean[]>;
  /**
   * Has marks last from now for the retention at least, whoever made them; what is not done, parked or
   * dead is left alone. Without it, what was handled behind a record that does not end for longer than
   * its retention runs again after a restart.
   */
  refresh?(refreshes: readonly Refresh[]): MaybePromise<void>;
  /**
   * Only of stores that may run out of room: `listener` is called with the number of marks that were
   * forgotten before their retention ended. It does not throw.
   */
  onEvict?(listener: (evicted: number) => void): void;
  /** Frees what the store holds; called after the last call, perhaps twice. */
  close?(): MaybePromise<void>;
}

export interface ClaimRequest {
  readonly key: string;
  /** Fences every later call: only its holder may complete, release or renew. */
  readonly token: string;
  readonly leaseMs: number;
  /**
   * 0 for a record from its original topic; a retry topic's level or a replay's count otherwise. A
   * parked or dead entry reopens only for a higher level than it was closed with; one that is free, only
   * for the level of its last claim or a higher one.
   */
  readonly level: number;
  /** How long the entry outlives the lease, with its attempts and its suspicion; at least a lease. */
  readonly retentionMs: number;
}

/** What is known of earlier runs whose lease ran out: as a process that dies leaves them. */
export interface Suspicion {
  /** Runs that had started. */
  readonly crashes: number;
  /** Of those, the runs that had their process for themselves. */
  readonly crashesAlone: number;
}

export type ClaimAnswer =
  /** Ours now; `attempts` failed before. Without `suspicion` no lease of it has run out. */
  | { readonly status: 'claimed'; readonly attempts: number; readonly suspicion?: Suspicion }
  | { readonly status: 'done' | 'parked' | 'dead' }
  /** Somebody else runs it; their lease ends in `leaseMs` unless renewed. */
  | { readonly status: 'in-progress'; readonly leaseMs: number };

export type CompletedState = 'done' | 'parked' | 'dead';

export interface Completion {
  readonly key: string;
  readonly token: string;
  readonly state: CompletedState;
  /** The level `parked` and `dead` are closed with. */
  readonly level: number;
  /** How long the mark is remembered from now. */
  readonly retentionMs: number;
}

export interface Release {
  readonly key: string;
  readonly token: string;
  /** Failed attempts so far, this run's included. */
  readonly attempts: number;
  readonly retentionMs: number;
}

export interface Renewal {
  readonly key: string;
  readonly token: string;
  readonly leaseMs: number;
}

export interface Refresh {
  readonly key: string;
  readonly retentionMs: number;
}

export interface Start {
  readonly key: string;
  readonly token: string;
  /** Whether nothing else runs in the process meanwhile. */
  readonly alone: boolean;
}
