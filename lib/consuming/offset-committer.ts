import type { Clock, TimerHandle } from '../contracts/clock.js';
import type { CommitItem } from '../kafka/driver.js';
import { toError } from '../kafka-events.errors.js';
import type { OwnedPartition } from './owned-partition.js';

export interface CommitterOptions {
  readonly intervalMs: number;
  readonly clock: Clock;
  /** The driver's commit; rejects when the broker did not accept. */
  readonly commit: (items: readonly CommitItem[]) => Promise<readonly CommitItem[]>;
  readonly onCommitted: (items: readonly CommitItem[]) => void;
  readonly onFailed: (error: Error) => void;
}

/**
 * Commits watermarks: what moved within an interval goes out in one request, one request at a time.
 *
 * A partition stays dirty until the broker has acknowledged its watermark, so a failed commit is
 * tried again at the next interval; a lost partition is never committed.
 */
export class OffsetCommitter {
  readonly #partitions = new Set<OwnedPartition>();
  #inFlight: Promise<void> | null = null;
  #timer: TimerHandle | null = null;

  constructor(private readonly options: CommitterOptions) {}

  /** Called when a partition's watermark moved. */
  schedule(partition: OwnedPartition): void {
    this.#partitions.add(partition);
    this.#startTimer();
  }

  /** Commits everything dirty now; resolves when it was tried, never rejects. */
  async flush(): Promise<void> {
    // What is in flight may carry older watermarks: wait for it, then send the rest.
    while (this.#inFlight !== null) await this.#inFlight;
    if (this.#dirty().length === 0) return;
    this.#inFlight = this.#commit().finally(() => {
      this.#inFlight = null;
    });
    await this.#inFlight;
  }

  close(): void {
    if (this.#timer !== null) this.options.clock.clearTimeout(this.#timer);
    this.#timer = null;
    this.#partitions.clear();
  }

  #startTimer(): void {
    this.#timer ??= this.options.clock.setTimeout(() => {
      this.#timer = null;
      void this.flush().then(() => {
        if (this.#partitions.size > 0) this.#startTimer();
      });
    }, this.options.intervalMs);
  }

  async #commit(): Promise<void> {
    const { commit, onCommitted, onFailed } = this.options;
    const dirty = this.#dirty();
    try {
      const sent = await commit(dirty.map(({ item }) => item));
      for (const { partition, item } of dirty) {
        if (sent.includes(item)) partition.committed = item.offset;
        if (partition.committed === partition.tracker.watermark) this.#partitions.delete(partition);
      }
      if (sent.length > 0) onCommitted(sent);
    } catch (error) {
      onFailed(toError(error));
    }
  }

  #dirty(): { readonly partition: OwnedPartition; readonly item: CommitItem }[] {
    const dirty: { partition: OwnedPartition; item: CommitItem }[] = [];
    for (const partition of this.#partitions) {
      const { watermark } = partition.tracker;
      if (partition.lost || watermark === null) {
        this.#partitions.delete(partition);
        continue;
      }
      const { topic, partition: number, epoch } = partition;
      dirty.push({ partition, item: { topic, partition: number, epoch, offset: watermark } });
    }
    return dirty;
  }
}
