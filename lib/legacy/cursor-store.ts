import type { MaybePromise } from '../contracts/maybe-promise.js';

/**
 * Where feeds note how far they are. A cursor that is lost, or written late, has changes published again, under
 * the ids they had; none is lost by it.
 */
export interface CursorStore {
  /** Null: the feed has none yet. */
  read(feed: string): MaybePromise<string | null>;
  write(feed: string, cursor: string): MaybePromise<void>;
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
