import type { Clock } from '../contracts/clock.js';
import type { Lease } from '../contracts/lease.js';
import { CallScope } from '../fallback/call-scope.js';
import type { LookUp } from '../fallback/fallback.js';
import { redacted } from '../failure/redact.js';
import { retryDelayMs } from '../failure/retry-policy.js';
import { NonRetryableEventError, toError } from '../kafka-events.errors.js';
import type { FeedHealth } from '../observability/health-report.js';
import type { SignalSink } from '../observability/observer.js';
import type { EventSink } from '../publishing/publish-options.js';
import type { CursorStore } from './cursor-store.js';
import type { FeedPage, FeedSettings } from './legacy-feed.js';
import { publishChange } from './publish-change.js';

const FIRST_RETRY_MS = 1_000;
const LONGEST_RETRY_MS = 60_000;

export interface FeedSurroundings {
  readonly cursors: CursorStore;
  readonly sink: EventSink;
  readonly signals: SignalSink;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly lookUp: LookUp;
}

/**
 * Polls one feed, for as long as this process has its lease:
 *
 *     cursor ─ poll ─ each change: event, id, publish, acknowledged ─ cursor noted ─ wait ─ again
 *
 * One change after another, so that they are in the topic in their order. The cursor is noted when all
 * of a page are acknowledged; whoever dies before that publishes the page again, under the same ids.
 */
export class FeedPoller {
  readonly #stopping = new AbortController();
  #running: Promise<void> = Promise.resolve();
  #failures = 0;
  /** Why the latest round failed; null when it did not. */
  #error: Error | null = null;
  /** When the latest round that did not fail ended, by `Clock.now`. */
  #polledAt: number | null = null;

  constructor(
    private readonly feed: FeedSettings,
    private readonly lease: Lease,
    private readonly around: FeedSurroundings,
  ) {}

  health(redact: (text: string) => string): FeedHealth {
    const { clock } = this.around;
    return {
      feed: this.feed.name,
      leading: this.lease.isHeld,
      polledAgoMs: this.#polledAt === null ? null : clock.now() - this.#polledAt,
      error: redacted(this.#error, redact),
    };
  }

  start(): void {
    this.#running = this.#run();
  }

  /** Starts nothing more; resolves when the change that is being published is, and the lease is given back. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
    await this.lease.giveBack();
  }

  #isStopping(): boolean {
    return this.#stopping.signal.aborted;
  }

  async #run(): Promise<void> {
    while (!this.#isStopping()) {
      let waitMs: number;
      try {
        // Renewing is the lease's own affair: until it is over, a store that is away is no reason to stop.
        waitMs = (this.lease.isHeld ? null : await this.lease.take()) ?? (await this.#round());
        this.#error = null;
        this.#failures = 0;
      } catch (thrown) {
        if (this.#isStopping()) return;
        waitMs = this.#failed(toError(thrown));
      }
      await this.#wait(waitMs);
    }
  }

  /** Answers how long to wait until the next. */
  async #round(): Promise<number> {
    const { feed, around } = this;
    const { name, everyMs } = feed;
    const startedAt = around.clock.now();
    const cursor = await around.cursors.read(name);
    const page = await this.#poll(cursor);
    for (const change of page.changes) {
      if (this.#isStopping() || !this.lease.isHeld) return 0;
      await this.#publish(change);
    }
    if (page.cursor !== cursor) await around.cursors.write(name, page.cursor);
    this.#polledAt = around.clock.now();
    const durationMs = this.#polledAt - startedAt;
    around.signals.emit('feedPolled', { feed: name, changes: page.changes.length, durationMs });
    return page.changes.length > 0 && page.cursor !== cursor ? 0 : everyMs;
  }

  async #poll(cursor: string | null): Promise<FeedPage<unknown>> {
    const { feed, around } = this;
    const { clock, lookUp: get } = around;
    const { signal: stopping } = this.#stopping;
    const scope = new CallScope(clock.now() + feed.pollTimeoutMs, clock, [stopping]);
    try {
      const polling = Promise.resolve().then(() =>
        feed.poll?.(cursor, { signal: scope.signal, get }),
      );
      return (await scope.within(polling)) ?? { changes: [], cursor: cursor ?? '' };
    } catch (thrown) {
      if (scope.ended !== 'deadline') throw thrown;
      throw new Error(`no answer to a poll within ${String(feed.pollTimeoutMs)} ms`);
    } finally {
      scope.close();
    }
  }

  async #publish(change: unknown): Promise<void> {
    const { feed, around } = this;
    try {
      await publishChange(feed, change, around.sink);
    } catch (thrown) {
      const error = toError(thrown);
      if (feed.onInvalid === 'hold' || !(error instanceof NonRetryableEventError)) throw error;
      around.signals.emit('feedSkipped', { feed: feed.name, error });
    }
  }

  #failed(error: Error): number {
    const pace = {
      ...{ attempts: 1, initialDelayMs: FIRST_RETRY_MS, factor: 2 },
      ...{ maxDelayMs: LONGEST_RETRY_MS, jitter: 0.5 },
    };
    this.#error = error;
    const retryInMs = retryDelayMs(pace, ++this.#failures, this.around.random());
    this.around.signals.emit('feedFailed', { feed: this.feed.name, error, retryInMs });
    return retryInMs;
  }

  async #wait(ms: number): Promise<void> {
    const { clock } = this.around;
    const scope = new CallScope(clock.now() + ms, clock, [this.#stopping.signal]);
    await new Promise<void>((resolve) => {
      scope.onInterrupt(resolve);
    });
  }
}
