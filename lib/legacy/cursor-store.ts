import type { MaybePromise } from '../contracts/maybe-promise.js';

/**
 * Where feeds note how far they are. A cursor that is lost, or written late, has changes published again, under
 * the ids they had; none is lost by it.
 */
export interface CursorStore {
  /**
   * Called at boot, where feeds are polled. Rejects with a StoreUnavailableError where the store cannot be reached:
   * feeds then wait for it. Any other rejection fails the boot.
   */
  verify?(): MaybePromise<void>;
  /** Null: the feed has none yet. */
  read(feed: string): MaybePromise<string | null>;
  write(feed: string, cursor: string): MaybePromise<void>;
  /** Frees what the store holds; called last, perhaps twice. */
  close?(): MaybePromise<void>;
}

/** Cursors of one process: after a restart feeds begin anew. */
export class MemoryCursorStore implements CursorStore {
  readonly #cursors = new Map<string, string>();

  read(feed: string): string | null {
    return this.#cursors.get(feed) ?? null;
  }

  write(feed: string, cursor: string): void {
    this.#cursors.set(feed, cursor);
  }
}
