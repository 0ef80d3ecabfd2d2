import type { MaybePromise } from '../contracts/maybe-promise.js';
import type { SqlTransaction } from '../contracts/sql-transaction.js';
import type { WireHeaders } from '../kafka/records.js';

/**
 * The outbox port: keeps records, encoded and complete, from the transaction that wrote them until the
 * broker has them.
 *
 * Duties of a store: what `add` was given is there if and only if that transaction commits; ids grow in
 * the order of the calls; `lead` grants one owner at a time, by the store's own clock; a call that fails
 * rejects with any error. Duties of the relay: it publishes only what `next` gave it, removes only what
 * was acknowledged, and of one key publishes nothing before what came earlier.
 */
export interface OutboxStore {
  /** For messages and health, for example `postgres`. */
  readonly name: string;
  /**
   * Called at boot. Rejects with a StoreUnavailableError where the store cannot be reached: then it is
   * tried again. Any other rejection fails the boot.
   */
  verify?(): MaybePromise<void>;
  /** Writes records inside the caller's transaction. */
  add(tx: SqlTransaction, records: readonly OutboxRecord[]): Promise<void>;
  /** Writes records in a transaction of its own: they are durable when it resolves. */
  store(records: readonly OutboxRecord[]): Promise<void>;
  /** Takes the lease, or renews it; false while somebody else has it. */
  lead(owner: string, leaseMs: number): Promise<boolean>;
  /** Gives the lease back, if it is the owner's. */
  resign(owner: string): Promise<void>;
  /**
   * The oldest records that may be published, in their order; none for whoever does not lead. What stands
   * behind a held record of its key is left out.
   */
  next(
    owner: string,
    limit: number,
    exceptTopics: readonly string[],
  ): Promise<readonly PendingRecord[]>;
  /** Forgets records that were published. */
  remove(ids: readonly string[]): Promise<void>;
  /** Holds a record that the broker refuses, and its key with it; for longer each time. */
  hold(id: string, error: string): Promise<void>;
  stats(): Promise<OutboxStats>;
  /** Whether records of that key wait. */
  pendingFor(topic: string, key: Buffer): Promise<boolean>;
  /** Records that are held, or were before, the oldest first. */
  held(limit: number): Promise<readonly HeldRecord[]>;
  /**
   * Removes held records of an event, so that they are never published; answers how many. Leaves those whose hold
   * is over, or nearly: they may be on their way.
   */
  discard(eventId: string): Promise<number>;
  /**
   * Calls `wake` when records were committed, by whomever, until the function that it answers is called.
   * It may miss some: the relay also looks by itself.
   */
  onAdded?(wake: () => void): () => Promise<void>;
  /** Frees what the store holds; called last, perhaps twice. */
  close?(): MaybePromise<void>;
}

/** What is to be published, byte for byte. */
export interface OutboxRecord {
  readonly eventId: string;
  readonly eventType: string;
  /** Physical. */
  readonly topic: string;
  readonly key: Buffer;
  readonly value: Buffer;
  readonly headers: WireHeaders;
}

export interface PendingRecord extends OutboxRecord {
  readonly id: string;
}

export interface OutboxStats {
  /** Records that wait; a store may stop counting at 10,000. */
  readonly pending: number;
  /** Age of the oldest in milliseconds; null where none waits. */
  readonly oldestAgeMs: number | null;
  /** Of those that wait, the ones that the broker has refused. */
  readonly held: number;
}

/** A record that the broker refuses: it holds its key until it is accepted or discarded. */
export interface HeldRecord {
  readonly eventId: string;
  readonly eventType: string;
  readonly topic: string;
  /** As text. */
  readonly key: string;
  readonly error: string;
  readonly attempts: number;
  readonly addedAt: Date;
}
