import type { Clock } from '../../contracts/clock.js';
import { partitionName, type TopicPartition } from '../../kafka/records.js';

export interface BatchCommitsOptions {
  readonly intervalMs: number;
  readonly clock: Clock;
  readonly onFailed: (error: unknown) => void;
}

/** What this needs of kafkajs's consumer. */
export interface CommittingConsumer {
  readonly events: { readonly END_BATCH_PROCESS: 'consumer.end_batch_process' };
  on(
    name: 'consumer.end_batch_process',
    listener: (event: { readonly payload: Batch }) => void,
  ): unknown;
  commitOffsets(items: { topic: string; partition: number; offset: string }[]): Promise<void>;
}

interface Batch extends TopicPartition {
  readonly firstOffset: string | null;
  readonly lastOffset: string;
}

/**
 * Commits what a plain kafkajs consumer has handled.
 *
 * kafkajs hands out the records of a partition one by one, the next when all handlers of the last
 * one have succeeded. So a record that begins says that those before it are done, and the end of a
 * batch that the last one begun is. One commit per interval and per batch, one at a time.
 */
export class BatchCommits {
  readonly #begun = new Map<string, bigint>();
  readonly #next = new Map<string, TopicPartition & { readonly offset: bigint }>();
  #committedAt: number;
  #committing = false;

  constructor(
    private readonly consumer: CommittingConsumer,
    private readonly options: BatchCommitsOptions,
  ) {
    this.#committedAt = options.clock.now();
    consumer.on(consumer.events.END_BATCH_PROCESS, ({ payload }) => {
      this.#batchEnded(payload);
    });
  }

  /** A record is about to be handled. */
  begin(at: TopicPartition, offset: bigint): void {
    this.#begun.set(partitionName(at), offset);
    const { clock, intervalMs } = this.options;
    if (clock.now() - this.#committedAt < intervalMs) return;
    this.#next.set(partitionName(at), { ...at, offset });
    void this.#commit();
  }

  /** The record that has begun is not done, whatever kafkajs says of its batch. */
  withdraw(at: TopicPartition): void {
    this.#begun.delete(partitionName(at));
  }

  // Not the batch's own last offset: where the consumer stops, a batch ends early without an error.
  #batchEnded({ topic, partition, firstOffset, lastOffset }: Batch): void {
    const name = partitionName({ topic, partition });
    const begun = this.#begun.get(name);
    if (begun === undefined || firstOffset === null) return;
    if (begun < BigInt(firstOffset) || begun > BigInt(lastOffset)) return;
    this.#begun.delete(name);
    this.#next.set(name, { topic, partition, offset: begun + 1n });
    void this.#commit();
  }

  async #commit(): Promise<void> {
    if (this.#committing) return;
    this.#committing = true;
    while (this.#next.size > 0) {
      const items = [...this.#next.values()];
      this.#next.clear();
      this.#committedAt = this.options.clock.now();
      try {
        await this.consumer.commitOffsets(
          items.map(({ offset, ...at }) => ({ ...at, offset: offset.toString() })),
        );
      } catch (error) {
        // Handled all the same: what is delivered again is recognised by its claims.
        this.options.onFailed(error);
      }
    }
    this.#committing = false;
  }
}
