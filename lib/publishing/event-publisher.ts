import { randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { contractOf, type EventSource, type PublishPayload } from '../contracts/event-source.js';
import { isPromise, type MaybePromise } from '../contracts/maybe-promise.js';
import { redacted } from '../failure/redact.js';
import {
  PublishAllError,
  PublisherClosedError,
  PublishError,
  toError,
  type PublishAllFailure,
  type PublishFailure,
} from '../kafka-events.errors.js';
import type { KafkaEventsSettings } from '../kafka-events.options.js';
import type { KafkaDriver, RecordPosition } from '../kafka/driver.js';
import type { PublisherHealth } from '../observability/health-report.js';
import type { SignalSink } from '../observability/observer.js';
import { encoderFor, type EncodedEvent, type EventEncoder } from './event-encoder.js';
import { PublishBuffer } from './publish-buffer.js';
import type {
  EventSink,
  OutgoingEvent,
  PublishOptions,
  PublishReceipt,
} from './publish-options.js';
import { RecordSender } from './record-sender.js';
import { withinMs } from '../contracts/within.js';
import { toPublishError } from './to-publish-error.js';
import type { TopicProducerStats } from './topic-producer.js';

/** How long closing may take once nothing waits for the broker any more. */
const CLOSE_PRODUCERS_MS = 1_000;

export interface EventPublisherOptions {
  readonly settings: Pick<
    KafkaEventsSettings,
    'connect' | 'connection' | 'topicName' | 'producer' | 'clock'
  >;
  readonly driver: Pick<KafkaDriver, 'producer'>;
  readonly sink: SignalSink;
  /** Default `crypto.randomUUID`. */
  readonly newEventId?: () => string;
  /** Default `Math.random`. */
  readonly random?: () => number;
}

export interface EventPublisherStats {
  /** Events sent or queued, not acknowledged yet. */
  readonly bufferedEvents: number;
  readonly bufferedBytes: number;
  /** Events that wait for room in the buffer. */
  readonly waitingEvents: number;
  readonly topics: readonly TopicProducerStats[];
  /** What the latest publish failed with; null once one has succeeded since. */
  readonly lastError: PublishError | null;
}

/**
 * Publishes events: inject it and call `publish`.
 *
 *     payload ─ validate, encode, size (EventEncoder) ─ room (PublishBuffer)
 *             ─ queue and producer of its topic (RecordSender) ─ receipt
 *
 * Per topic, events are written in the order of the calls, as long as validation is synchronous.
 * The payload is read during the call and neither changed nor kept.
 */
@Injectable()
export class EventPublisher implements EventSink {
  readonly #encoder: EventEncoder;
  readonly #buffer: PublishBuffer;
  readonly #sender: RecordSender;
  #closed: Promise<void> | null = null;
  #lastError: PublishError | null = null;

  /** @internal Made by the module; for tests see `FakeEventPublisher`. */
  constructor(private readonly options: EventPublisherOptions) {
    const { settings, newEventId = randomUUID, ...rest } = options;
    const { clock, producer } = settings;
    this.#encoder = encoderFor(settings, newEventId);
    this.#buffer = new PublishBuffer(producer, clock);
    this.#sender = new RecordSender({
      ...rest,
      clock,
      maxBatchRecords: producer.maxBatchRecords,
      requestTimeoutMs: settings.connection.requestTimeoutMs,
    });
  }

  /**
   * Resolves when the broker has the event, on all replicas in sync. While the broker is away it
   * waits and tries again, until the deadline.
   *
   * @throws InvalidEventError, EventTooLargeError, UnknownTopicError, PublisherClosedError,
   * PublishDeadlineError, PublishBufferFullError, PublishRejectedError: each a `PublishError` with
   * the event's id, so that a retry can reuse it.
   * @throws InvalidDefinitionError when `source` is not an event.
   */
  async publish<S extends EventSource>(
    source: S,
    payload: PublishPayload<S>,
    options: PublishOptions = {},
  ): Promise<PublishReceipt> {
    const event = this.prepare(source, payload, options);
    return this.deliver(isPromise(event) ? await event : event);
  }

  /**
   * Publishes several events; resolves with their receipts, in order, when the broker has all.
   * All are validated and sized before the first is sent.
   *
   * This is not a transaction: when sending fails half-way, some have arrived.
   *
   * @throws PublishAllError with the receipts of those acknowledged and the failures of the others.
   */
  async publishAll(events: readonly OutgoingEvent[]): Promise<readonly PublishReceipt[]> {
    const prepared = await collect(
      events.map(async ({ source, payload, options }) => this.prepare(source, payload, options)),
    );
    if (prepared.failures.length > 0) {
      const message = `${prepared.failures.length} of ${events.length} events cannot be published, nothing was sent`;
      throw new PublishAllError(message, [], prepared.failures);
    }
    const sent = await collect(prepared.values.map((event) => this.deliver(event)));
    if (sent.failures.length > 0) {
      const message = `${sent.failures.length} of ${events.length} events were not acknowledged`;
      throw new PublishAllError(message, sent.values, sent.failures);
    }
    return sent.values;
  }

  stats(): EventPublisherStats {
    return {
      bufferedEvents: this.#buffer.events,
      bufferedBytes: this.#buffer.bytes,
      waitingEvents: this.#buffer.waiting,
      topics: this.#sender.stats(),
      lastError: this.#lastError,
    };
  }

  /** @internal */
  health(redact: (text: string) => string): PublisherHealth {
    const { events: bufferedEvents, bytes: bufferedBytes } = this.#buffer;
    return { bufferedEvents, bufferedBytes, lastError: redacted(this.#lastError, redact) };
  }

  /**
   * Refuses new events at once, lets those under way finish until the deadline, fails the rest with
   * `PublisherClosedError` and closes the producers. Always resolves, a second after the deadline at
   * the latest. Later calls get the promise of the first.
   */
  close(deadlineMs: number): Promise<void> {
    this.#closed ??= this.#close(deadlineMs);
    return this.#closed;
  }

  async #close(deadlineMs: number): Promise<void> {
    await withinMs(this.#buffer.whenEmpty(), deadlineMs, this.options.settings.clock);
    await this.#sender.close(CLOSE_PRODUCERS_MS);
  }

  /** @internal An event ready to be sent, now or later, by whomever. @throws as `publish` does for its content. */
  prepare(
    source: EventSource,
    payload: unknown,
    options: PublishOptions,
  ): MaybePromise<EncodedEvent> {
    const contract = contractOf(source);
    const identity = this.#encoder.identify(contract, options);
    const failed = (error: unknown): never => {
      if (error instanceof PublishError) this.#reportFailure(error);
      throw error;
    };
    try {
      const event = this.#encoder.encode(identity, contract, payload, options);
      return isPromise(event) ? event.catch(failed) : event;
    } catch (error) {
      return failed(error);
    }
  }

  /** @internal Sends a prepared event until its deadline. @throws as `publish` does. */
  async deliver(event: EncodedEvent): Promise<PublishReceipt> {
    const { identity } = event;
    const { partition, offset } = await this.#send(event).catch((thrown: unknown) => {
      this.#lastError = toPublishError(thrown, event);
      this.#reportFailure(this.#lastError);
      throw this.#lastError;
    });
    this.#lastError = null;
    this.options.sink.emit('published', identity);
    return { ...identity, partition, offset: offset === null ? null : offset.toString() };
  }

  async #send(event: EncodedEvent): Promise<RecordPosition> {
    const { identity, record, deadlineAt } = event;
    this.#assertOpen(identity);
    return this.#buffer.run(event, () =>
      this.#sender.send(identity.topic, record, deadlineAt - this.options.settings.clock.now()),
    );
  }

  #assertOpen(identity: PublishFailure): void {
    if (!this.options.settings.connect) {
      throw new PublisherClosedError(identity, 'the module does not connect (connect: false)');
    }
    if (this.#closed !== null) throw new PublisherClosedError(identity);
  }

  #reportFailure(error: PublishError): void {
    const { eventId, eventType, topic } = error;
    this.options.sink.emit('publishFailed', { eventId, eventType, topic, error });
  }
}

interface Collected<T> {
  readonly values: readonly T[];
  readonly failures: readonly PublishAllFailure[];
}

async function collect<T>(promises: readonly Promise<T>[]): Promise<Collected<T>> {
  const values: T[] = [];
  const failures: PublishAllFailure[] = [];
  for (const [index, result] of (await Promise.allSettled(promises)).entries()) {
    if (result.status === 'fulfilled') values.push(result.value);
    else failures.push({ index, error: toError(result.reason) });
  }
  return { values, failures };
}
