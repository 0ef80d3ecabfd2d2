import { Injectable } from '@nestjs/common';

import { systemClock } from '../contracts/clock.js';
import { EventEnvelope } from '../contracts/event-envelope.js';
import { contractOf, type EventPayload, type EventSource } from '../contracts/event-source.js';
import { readPayload } from '../consuming/read-payload.js';
import { DriverError } from '../kafka-events.errors.js';
import type { ProducerDriver, RecordPosition } from '../kafka/driver.js';
import type { OutRecord } from '../kafka/records.js';
import { DEFAULTS } from '../options/defaults.js';
import { EventPublisher } from '../publishing/event-publisher.js';
import { inRecordOf } from './in-record-of.js';
import { sightedRecord } from './sighted-record.js';
import { spiedEnvelope, type SpiedEvent } from './spied-event.js';

/** An event that a `FakeEventPublisher` was given. */
export interface FakePublishedEvent<S extends EventSource> extends SpiedEvent<EventPayload<S>> {
  readonly topic: string;
  readonly correlationId: string | null;
  readonly causationId: string | null;
}

/**
 * An `EventPublisher` without a broker, for unit tests: it validates, sizes and encodes as the real
 * one does, and remembers what it would have sent.
 *
 *     Test.createTestingModule({
 *       providers: [OrdersService, { provide: EventPublisher, useClass: FakeEventPublisher }],
 *     });
 *
 * Topics bear the names that the events declare, every topic has one partition, and offsets count
 * from 0.
 */
@Injectable()
export class FakeEventPublisher extends EventPublisher {
  readonly #topics: MemoryTopics;

  constructor() {
    const topics = new MemoryTopics();
    super({
      settings: {
        connect: true,
        connection: { ...DEFAULTS, clientId: 'fake', brokers: [], ssl: false, sasl: null },
        topicName: DEFAULTS.topicName,
        // One record a request, so that a failure strikes one publish.
        producer: { ...DEFAULTS.producer, maxBatchRecords: 1 },
        clock: systemClock,
      },
      driver: { producer: () => topics },
      sink: { emit: () => undefined },
    });
    this.#topics = topics;
  }

  /** The events of that kind published so far, in order. */
  async publishedEvents<S extends EventSource>(source: S): Promise<FakePublishedEvent<S>[]> {
    const contract = contractOf(source);
    const events = this.#topics.envelopes
      .filter(
        ({ eventType, topic }) => eventType === contract.eventType && topic === contract.topic,
      )
      .map(async (envelope) => {
        const { topic, correlationId, causationId, record } = envelope;
        // The contract is S's own: what it accepts is S's payload.
        const payload = (await readPayload(contract, record)) as EventPayload<S>;
        return {
          ...spiedEnvelope(sightedRecord(envelope)),
          topic,
          correlationId,
          causationId,
          payload,
        };
      });
    return Promise.all(events);
  }

  /** Lets the next publishes be refused by the broker: each rejects with a `PublishRejectedError`. */
  failNext(times = 1, reason = 'refused by the test'): void {
    this.#topics.failNext(times, reason);
  }

  /** Forgets what was published and what is to fail. */
  clear(): void {
    this.#topics.clear();
  }
}

/** Takes records as a broker does, and keeps them. */
class MemoryTopics implements ProducerDriver {
  envelopes: EventEnvelope[] = [];
  #failures: string[] = [];
  readonly #ends = new Map<string, bigint>();

  send(topic: string, records: readonly OutRecord[]): Promise<readonly RecordPosition[]> {
    const reason = this.#failures.shift();
    if (reason !== undefined) return Promise.reject(new DriverError('fatal', reason));
    return Promise.resolve(records.map((record) => this.#append(topic, record)));
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  failNext(times: number, reason: string): void {
    for (let i = 0; i < times; i++) this.#failures.push(reason);
  }

  clear(): void {
    this.envelopes = [];
    this.#failures = [];
  }

  #append(topic: string, record: OutRecord): RecordPosition {
    const offset = this.#ends.get(topic) ?? 0n;
    this.#ends.set(topic, offset + 1n);
    this.envelopes.push(new EventEnvelope({ topic, partition: 0 }, inRecordOf(record, offset)));
    return { partition: 0, offset };
  }
}
