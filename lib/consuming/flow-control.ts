import type { TopicPartition } from '../kafka/records.js';
import type { OwnedPartition } from './owned-partition.js';

/** A paused partition goes on once it is this far below its bounds. */
const RESUME_AT = 0.5;

export interface FlowOptions {
  /** Records between the watermark and the newest delivered record at which a partition pauses. */
  readonly maxSpan: number;
  /** Records that may wait until they are due before their partition pauses. */
  readonly maxWaiting: number;
  readonly pause: (partition: TopicPartition) => void;
  readonly resume: (partition: TopicPartition) => void;
}

/**
 * Back-pressure: pauses a partition whose span or share of the byte budget is full, alone, and
 * resumes it when half of that is settled. The client's current fetch may still come on top.
 */
export class FlowControl {
  readonly #paused = new Set<OwnedPartition>();

  constructor(private readonly options: FlowOptions) {}

  /** Called after records of the partition were delivered. */
  afterDelivery(partition: OwnedPartition): void {
    if (partition.paused || partition.lost || !this.#isFull(partition)) return;
    partition.paused = true;
    this.#paused.add(partition);
    if (!partition.held) this.options.pause(partition);
  }

  /** Called after records settled, or wait no more; other partitions wait for their bytes, too. */
  afterSettlement(): void {
    for (const partition of this.#paused) {
      if (this.#mayResume(partition)) this.#resume(partition);
    }
  }

  /** An operator holds the partition, or does so no more: neither needs more records than it has. */
  hold(partition: OwnedPartition, held: boolean): void {
    if (partition.held === held) return;
    partition.hold(held);
    if (partition.paused) return;
    if (held) this.options.pause(partition);
    else this.options.resume(partition);
  }

  forget(partition: OwnedPartition): void {
    this.#paused.delete(partition);
  }

  #isFull({ tracker, bytes, budget, waiting }: OwnedPartition): boolean {
    const { maxSpan, maxWaiting } = this.options;
    return tracker.span >= maxSpan || waiting >= maxWaiting || budget.exceededBy(bytes);
  }

  #mayResume({ tracker, bytes, budget, waiting }: OwnedPartition): boolean {
    const { maxSpan, maxWaiting } = this.options;
    return (
      tracker.span <= maxSpan * RESUME_AT &&
      waiting <= maxWaiting * RESUME_AT &&
      !budget.exceededBy(bytes / RESUME_AT)
    );
  }

  #resume(partition: OwnedPartition): void {
    this.#paused.delete(partition);
    partition.paused = false;
    if (!partition.lost && !partition.held) this.options.resume(partition);
  }
}
