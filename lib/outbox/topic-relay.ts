import type { Clock } from '../contracts/clock.js';
import { withinMs } from '../contracts/within.js';
import { DriverError } from '../kafka-events.errors.js';
import type { ProducerDriver } from '../kafka/driver.js';
import { sizeOfRecord } from '../kafka/records.js';
import { asDriverError } from '../publishing/as-driver-error.js';
import { BatchLimit } from '../publishing/batch-limit.js';
import type { PendingRecord } from './outbox-store.js';

export interface TopicRelayOptions {
  readonly topic: string;
  readonly createProducer: () => ProducerDriver;
  readonly clock: Clock;
  readonly maxBatchRecords: number;
  /** A request without an answer for this long has failed. */
  readonly sendTimeoutMs: number;
  /** Asked before each request. */
  readonly mayGo: () => boolean;
  /** Records that the broker has acknowledged; the next request waits for it. */
  readonly onPublished: (records: readonly PendingRecord[]) => Promise<void>;
  /** A record that the broker refuses for its own fault; the next request waits for it. */
  readonly onRefused: (record: PendingRecord, error: DriverError) => Promise<void>;
}

/**
 * Publishes records of one topic in their order, of one key never one before an earlier one: a record that
 * is refused keeps the later ones of its key back, and no other.
 *
 * One request is outstanding. A broker refuses whole requests for one record's fault: they get smaller then,
 * down to that record.
 */
export class TopicRelay {
  readonly #limit: BatchLimit;
  #producer: ProducerDriver | null = null;

  constructor(private readonly options: TopicRelayOptions) {
    this.#limit = new BatchLimit(options.maxBatchRecords);
  }

  /** @throws DriverError when the topic takes nothing for now; what is not told of goes again. */
  async publish(records: readonly PendingRecord[]): Promise<void> {
    const { mayGo, onPublished, onRefused } = this.options;
    let waiting = records.map((record) => ({ record, bytes: sizeOfRecord(record) }));
    while (waiting.length > 0 && mayGo()) {
      const count = this.#limit.fit(waiting);
      const request = waiting.slice(0, count).map(({ record }) => record);
      const refusal = await this.#send(request);
      if (refusal === null) {
        this.#limit.accepted();
        waiting = waiting.slice(count);
        await onPublished(request);
      } else if (request.length > 1) {
        this.#limit.refused(count);
      } else {
        const [refused] = request;
        if (refused === undefined) return;
        await onRefused(refused, refusal);
        waiting = waiting.filter(({ record }) => !record.key.equals(refused.key));
      }
    }
  }

  /** Not awaited by anybody: closing a producer whose broker is away takes as long as it likes. */
  async close(): Promise<void> {
    const producer = this.#producer;
    this.#producer = null;
    await producer?.close();
  }

  /** Null when all were acknowledged; the error where the content of one of them is at fault. */
  async #send(records: readonly PendingRecord[]): Promise<DriverError | null> {
    try {
      await this.#transmit(records);
      return null;
    } catch (thrown) {
      // A producer that goes on after a failure may be told that it has sent what was never stored.
      void this.close();
      const error = asDriverError(thrown);
      // Held are records that would be refused anywhere; what else is wrong, the whole topic waits for.
      if (error.kind === 'too-large' || error.kind === 'invalid-record') return error;
      throw error;
    }
  }

  async #transmit(records: readonly PendingRecord[]): Promise<void> {
    const { topic, createProducer, clock, sendTimeoutMs } = this.options;
    this.#producer ??= createProducer();
    // Now, not when it was written: retention goes by it, and the event itself says when it happened.
    const timestamp = clock.wallTime().getTime();
    const sending = this.#producer.send(
      topic,
      records.map(({ key, value, headers }) => ({ key, value, headers, timestamp })),
    );
    if (!(await withinMs(sending, sendTimeoutMs, clock))) {
      const waited = `no answer to a send within ${String(sendTimeoutMs)} ms`;
      throw new DriverError('retryable', waited);
    }
    await sending;
  }
}
