import type { MaybePromise } from '../contracts/maybe-promise.js';
import type { LookUp } from '../fallback/fallback.js';
import type { OutgoingEvent } from '../publishing/publish-options.js';

/** Changes since a cursor, oldest first, and the cursor behind them. */
export interface FeedPage<Change> {
  readonly changes: readonly Change[];
  /** Where the next poll goes on; it may stay the same while there is nothing new. */
  readonly cursor: string;
}

export interface FeedContext {
  /** Aborted when the poll takes too long, or the application stops. */
  readonly signal: AbortSignal;
  /** A provider of the application, wherever it is provided: `get(SyncFallbackClient)`. */
  readonly get: LookUp;
}

/** Changes of a system that knows no events, and the events that they are. */
export interface LegacyFeed<Change = unknown> {
  /** Names the feed in the cursor store, and its events' ids; never change it. */
  readonly name: string;
  /**
   * Asks for what has changed behind the cursor, which is null the first time. Without it the feed is only
   * told of changes, by `LegacyFeeds.accept`.
   */
  poll?(cursor: string | null, context: FeedContext): MaybePromise<FeedPage<Change>>;
  /** How long to wait when there is nothing new. Default 5 s. */
  readonly everyMs?: number;
  /** How long one poll may take. Default 30 s. */
  readonly pollTimeoutMs?: number;
  /** What tells this change from all others of the feed, and is the same whenever it is told of. */
  id(change: Change): string;
  /** The event that the change is; null where it is none. Must answer the same each time. */
  toEvent(change: Change): OutgoingEvent | null;
  /** A change that can be no event: hold the feed, loudly (default), or skip it, and tell observers. */
  readonly onInvalid?: 'hold' | 'skip';
}

/** A feed with every default filled in. */
export interface FeedSettings extends LegacyFeed {
  readonly everyMs: number;
  readonly pollTimeoutMs: number;
  readonly onInvalid: 'hold' | 'skip';
}

/** Declares a feed, typed by its changes, for `legacy.feeds` of the module. */
export function legacyFeed<Change>(feed: LegacyFeed<Change>): LegacyFeed<Change> {
  return feed;
}
