import type { Clock } from '../contracts/clock.js';
import type { KafkaDriver, RecordPosition } from '../kafka/driver.js';
import type { OutRecord } from '../kafka/records.js';
import type { SignalSink } from '../observability/observer.js';
import { withinMs } from '../contracts/within.js';
import { TopicProducer, type TopicProducerStats } from './topic-producer.js';

export interface RecordSenderOptions {
  readonly driver: Pick<KafkaDriver, 'producer'>;
  readonly clock: Clock;
  /** Default `Math.random`. */
  readonly random?: () => number;
  readonly sink: SignalSink;
  readonly maxBatchRecords: number;
  readonly requestTimeoutMs: number;
  /** True leaves trying again to the caller: the first failed try rejects. Default false. */
  readonly once?: boolean;
}

/**
 * Sends raw records to any topic, through one producer per topic: no failure of one topic touches
 * another. What shares no failure with other records (dead letters, say) has a sender of its own.
 */
export class RecordSender {
  readonly #producers = new Map<string, TopicProducer>();
  #closed = false;

  constructor(private readonly options: RecordSenderOptions) {}

  /**
   * Resolves when the broker has the record; tries again, with backoff, until the deadline, unless
   * the sender is for one try.
   *
   * @param deadlineMs milliseconds from now.
   * @throws DriverError as `TopicProducer.send` does; `SendDeadlineError` is one.
   */
  send(topic: string, record: OutRecord, deadlineMs: number): Promise<RecordPosition> {
    return this.#producer(topic).send(record, this.options.clock.now() + deadlineMs);
  }

  stats(): readonly TopicProducerStats[] {
    return [...this.#producers.values()].map((producer) => producer.stats());
  }

  /**
   * Rejects what is not acknowledged yet and closes the producers; resolves when they are closed,
   * or after `deadlineMs`.
   */
  async close(deadlineMs: number): Promise<void> {
    this.#closed = true;
    const closing = [...this.#producers.values()].map((producer) => producer.close());
    await withinMs(Promise.all(closing), deadlineMs, this.options.clock);
  }

  #producer(topic: string): TopicProducer {
    const existing = this.#producers.get(topic);
    if (existing !== undefined) return existing;
    const created = this.#createProducer(topic);
    if (this.#closed) void created.close();
    this.#producers.set(topic, created);
    return created;
  }

  #createProducer(topic: string): TopicProducer {
    const { driver, clock, random = Math.random, sink, ...options } = this.options;
    return new TopicProducer({
      topic,
      createProducer: () => driver.producer(),
      clock,
      random,
      maxBatchRecords: options.maxBatchRecords,
      // Twice, so that the client's own timeout comes first and it retries by itself.
      sendTimeoutMs: 2 * options.requestTimeoutMs,
      once: options.once ?? false,
      onRecycled: (error) => {
        sink.emit('producerRecycled', { topic, error });
      },
    });
  }
}
