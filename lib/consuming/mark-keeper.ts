import type { Clock, TimerHandle } from '../contracts/clock.js';
import type { IdempotencyStore } from '../idempotency/idempotency-store.js';
import { toError } from '../kafka-events.errors.js';
import type { HandlerSettings } from './handler-options.js';
import type { OwnedPartition, RecordPlace } from './owned-partition.js';

/** Windows may be longer than a timer can be set to. */
const LONGEST_INTERVAL_MS = 24 * 60 * 60_000;

/** How long a mark may have to wait that somebody else made, who knows when. */
const LONGEST_SOON_MS = 30_000;

export interface MarkKeeperOptions {
  readonly store: IdempotencyStore;
  /** Of the group. */
  readonly handlers: readonly Pick<HandlerSettings, 'idempotency'>[];
  readonly partitions: () => readonly OwnedPartition[];
  readonly clock: Clock;
  readonly onStoreError: (operation: string, error: Error) => void;
}

/**
 * Refreshes the marks of records that a watermark has not passed: a restart would deliver them again,
 * be it hours later, and without its mark a handler would run again.
 *
 * Every third of the shortest window it looks for partitions whose watermark has waited for that long;
 * of those that move it asks nothing. Marks that were found, rather than made, may be about to end:
 * they are seen to soon.
 */
export class MarkKeeper {
  readonly #intervalMs: number;
  readonly #soonMs: number;
  readonly #retentionMs: number;
  #timer: TimerHandle | null = null;
  #soon: TimerHandle | null = null;

  constructor(private readonly options: MarkKeeperOptions) {
    const windows = options.handlers.flatMap(({ idempotency }) => idempotency?.windowMs ?? []);
    this.#intervalMs = Math.min(Math.min(...windows) / 3, LONGEST_INTERVAL_MS);
    this.#soonMs = Math.min(this.#intervalMs / 4, LONGEST_SOON_MS);
    this.#retentionMs = Math.max(...windows, 0);
  }

  start(): void {
    if (this.options.store.refresh === undefined || this.#retentionMs === 0) return;
    this.#timer = this.options.clock.setTimeout(() => {
      void this.#refresh(this.#intervalMs).then(() => {
        if (this.#timer !== null) this.start();
      });
    }, this.#intervalMs);
  }

  /** A record turned out to be marked already. */
  found(): void {
    if (this.#timer === null || this.#soon !== null) return;
    this.#soon = this.options.clock.setTimeout(() => {
      this.#soon = null;
      void this.#refresh(0);
    }, this.#soonMs);
  }

  close(): void {
    for (const timer of [this.#timer, this.#soon]) {
      if (timer !== null) this.options.clock.clearTimeout(timer);
    }
    this.#timer = this.#soon = null;
  }

  /** Of partitions whose watermark has waited for that long. */
  async #refresh(waitedMs: number): Promise<void> {
    const { clock, partitions, store, onStoreError } = this.options;
    const now = clock.now();
    const waiting = partitions().filter(({ tracker: { oldest } }) => {
      return oldest !== null && now - oldest.deliveredAt >= waitedMs;
    });
    const keys = waiting.flatMap(({ tracker }) => [...tracker.pending()].flatMap(marksOf));
    if (keys.length === 0) return;
    try {
      await store.refresh?.(keys.map((key) => ({ key, retentionMs: this.#retentionMs })));
    } catch (error) {
      // There is time for another try before they are forgotten.
      onStoreError('refresh', toError(error));
    }
  }
}

function marksOf({ marks }: RecordPlace): string | readonly string[] {
  return marks ?? [];
}
