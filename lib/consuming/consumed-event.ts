import { BaseRpcContext } from '@nestjs/microservices';

import { deterministicEventId } from '../contracts/deterministic-id.js';
import type { EventEnvelope } from '../contracts/event-envelope.js';
import { contractOf, type EventSource, type PublishPayload } from '../contracts/event-source.js';
import type { ClaimHolder, JoinedClaim } from '../idempotency/joined-claim.js';
import { NO_PARTITION, type WireHeaders } from '../kafka/records.js';
import type { EventSink, PublishOptions, PublishReceipt } from '../publishing/publish-options.js';

/** What a delivery of an event to a handler is made of. */
export interface EventDelivery {
  readonly envelope: EventEnvelope;
  readonly handlerId: string;
  /** Names the event for this handler, for ever: what it publishes is named after that. */
  readonly key: string;
  /** 1 for the first attempt; attempts before a restart count where the store remembers them. */
  readonly attempt: number;
  readonly sink: EventSink;
  /** Absent where nothing is claimed. */
  readonly holder?: ClaimHolder;
}

/** Options of `EventContext.publish`: the rest is derived from the event being handled. */
export interface CausedPublishOptions extends Omit<PublishOptions, 'eventId' | 'causationId'> {
  /**
   * Names this publish among those of the same event type by this handler. Give one where their
   * order or number may differ between attempts; by default they are counted.
   */
  readonly name?: string;
}

/** One event as its handler knows it, beside the payload: where it is from, and what it may cause. */
export abstract class ConsumedEvent extends BaseRpcContext {
  readonly #delivery: EventDelivery;
  #published: Map<string, number> | undefined;

  /** @internal */
  constructor(delivery: EventDelivery) {
    super([delivery.envelope.record]);
    this.#delivery = delivery;
  }

  get eventId(): string {
    return this.#delivery.envelope.eventId;
  }
  /** For example `order.created.v1`. */
  get eventType(): string {
    return this.#delivery.envelope.eventType;
  }
  /** The record's key as text; null for a record without one. */
  get aggregateId(): string | null {
    return this.#delivery.envelope.aggregateId;
  }
  get correlationId(): string | null {
    return this.#delivery.envelope.correlationId;
  }
  get causationId(): string | null {
    return this.#delivery.envelope.causationId;
  }
  /** When the event happened; the record's own timestamp where the event does not say. */
  get timestamp(): Date {
    return this.#delivery.envelope.timestamp;
  }
  get topic(): string {
    return this.#delivery.envelope.topic;
  }
  get partition(): number {
    return this.#delivery.envelope.partition;
  }
  /**
   * Whether it was delivered past Kafka (`acceptsDirect`): then it has no place there, its partition is -1
   * and its offset `'-1'`.
   */
  get direct(): boolean {
    return this.#delivery.envelope.partition === NO_PARTITION;
  }
  /** Text: an offset may exceed what a number holds exactly. */
  get offset(): string {
    return this.#delivery.envelope.record.offset.toString();
  }
  get attempt(): number {
    return this.#delivery.attempt;
  }
  /** All headers, in order; values are bytes and may be null. */
  get headers(): WireHeaders {
    return this.#delivery.envelope.record.headers;
  }
  /** CloudEvents' `source`; null where the event does not say. */
  get source(): string | null {
    return this.#delivery.envelope.source;
  }
  get handlerId(): string {
    return this.#delivery.handlerId;
  }

  /** @internal What a store needs to complete the claim in the handler's own transaction; null for none. */
  joinClaim(): JoinedClaim | null {
    return this.#delivery.holder?.joinClaim() ?? null;
  }

  /**
   * Publishes an event that this one caused: correlation and causation are filled in, and its id
   * follows from this event (id, topic, source), this group and handler, and the event's type and
   * ordinal (or `name`), so that a
   * repeated attempt publishes the same id and consumers can tell.
   *
   * The id is safe to repeat, an effect is not: where a handler does both, publish first, or make
   * the effect idempotent, since a failing publish runs the handler again.
   *
   * @throws PublishError as `EventPublisher.publish` does.
   */
  publish<S extends EventSource>(
    source: S,
    payload: PublishPayload<S>,
    options: CausedPublishOptions = {},
  ): Promise<PublishReceipt> {
    return this.#delivery.sink.publish(source, payload, this.causing(source, options));
  }

  /**
   * What `publish` would say of an event beside its payload, for one that goes another way:
   *
   *     await outbox.add(tx, StockReserved, reserved, event.causing(StockReserved));
   */
  causing(source: EventSource, options: CausedPublishOptions = {}): PublishOptions {
    const { eventType } = contractOf(source);
    const { name, ...rest } = options;
    const published = (this.#published ??= new Map<string, number>());
    const ordinal = published.get(eventType) ?? 0;
    if (name === undefined) published.set(eventType, ordinal + 1);
    return {
      correlationId: this.correlationId ?? this.eventId,
      ...rest,
      causationId: this.eventId,
      eventId: deterministicEventId([
        this.#delivery.key,
        eventType,
        name === undefined ? `#${String(ordinal)}` : `=${name}`,
      ]),
    };
  }
}
