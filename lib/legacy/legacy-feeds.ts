import { Lease } from '../contracts/lease.js';
import { withinMs } from '../contracts/within.js';
import type { IdempotencyStore } from '../idempotency/idempotency-store.js';
import type { LookUp } from '../fallback/fallback.js';
import {
  InvalidTargetError,
  StoreUnavailableError,
  type PublishReceipt,
} from '../kafka-events.errors.js';
import type { FeedHealth } from '../observability/health-report.js';
import type { CursorStore } from './cursor-store.js';
import { FeedLease } from './feed-lease.js';
import { FeedPoller, type FeedSurroundings } from './feed-poller.js';
import type { FeedSettings, LegacyFeed } from './legacy-feed.js';
import { publishChange } from './publish-change.js';

/** The module's `legacy`, checked and complete. */
export interface LegacySettings {
  readonly feeds: readonly FeedSettings[];
  readonly cursors: CursorStore;
}

/** A poller that is cut off for longer has lost its turn. */
const LEASE_MS = 30_000;

export interface LegacyFeedsOptions extends Omit<FeedSurroundings, 'cursors' | 'lookUp'> {
  readonly settings: LegacySettings;
  /** Has the leases; one that is shared has one process at a time poll. */
  readonly store: IdempotencyStore;
  readonly clientId: string;
  /** Of this process alone. */
  readonly owner: string;
}

/** The changes of systems that know no events: polls for them, and takes those that it is told of. */
export class LegacyFeeds {
  #pollers: readonly FeedPoller[] = [];

  /** @internal Made by the module. */
  constructor(private readonly options: LegacyFeedsOptions) {}

  /**
   * Publishes the event that a change is, as polling would, under the same id: for webhooks. Null where the
   * change is no event.
   *
   * @throws NonRetryableEventError where it can be no event; PublishError; InvalidTargetError for a feed that
   * the module's options do not name.
   */
  async accept<Change>(feed: LegacyFeed<Change>, change: Change): Promise<PublishReceipt | null> {
    const { settings, sink } = this.options;
    const known = settings.feeds.find(({ name }) => name === feed.name);
    if (known !== undefined) return publishChange(known, change, sink);
    throw new InvalidTargetError(`there is no feed "${feed.name}" in legacy.feeds`);
  }

  /** @internal Of feeds that are polled. */
  health(redact: (text: string) => string): readonly FeedHealth[] {
    return this.#pollers.map((poller) => poller.health(redact));
  }

  /**
   * @internal Checks where cursors are kept, if any feed needs one; that it is away is for the pollers to see.
   * @throws whatever its `verify` rejects with and time does not mend, such as MissingTablesError.
   */
  async verify(): Promise<void> {
    const { feeds, cursors } = this.options.settings;
    if (feeds.every((feed) => feed.poll === undefined)) return;
    try {
      await cursors.verify?.();
    } catch (thrown) {
      if (!(thrown instanceof StoreUnavailableError)) throw thrown;
    }
  }

  /** @internal */
  start(lookUp: LookUp): void {
    const { settings, store, clientId, owner, ...rest } = this.options;
    const around = { ...rest, cursors: settings.cursors, lookUp };
    this.#pollers = settings.feeds
      .filter((feed) => feed.poll !== undefined)
      .map((feed) => {
        const key = `legacy-feed:${clientId}:${feed.name}`;
        const lease = new Lease({
          store: new FeedLease(store, key, owner),
          leaseMs: LEASE_MS,
          clock: rest.clock,
        });
        return new FeedPoller(feed, lease, around);
      });
    for (const poller of this.#pollers) poller.start();
  }

  /** @internal Resolves when no poller is at work any more, or the time is up. */
  async stop(deadlineMs: number): Promise<void> {
    const stopped = Promise.all(this.#pollers.map((poller) => poller.stop()));
    await withinMs(stopped, deadlineMs, this.options.clock);
  }
}
