import { Injectable } from '@nestjs/common';

import { contractOf, type EventSource, type PublishPayload } from '../contracts/event-source.js';
import type { SqlTransaction } from '../contracts/sql-transaction.js';
import { InvalidEventError, NoOutboxError, type PublishFailure } from '../kafka-events.errors.js';
import type { SignalSink } from '../observability/observer.js';
import type { EncodedEvent, EventEncoder } from '../publishing/event-encoder.js';
import { event, type OutgoingEvent, type PublishOptions } from '../publishing/publish-options.js';
import type { HeldRecord, OutboxRecord, OutboxStats, OutboxStore } from './outbox-store.js';

/** What `publish` takes, without a deadline: the outbox keeps an event until it is published. */
export type OutboxEventOptions = Omit<PublishOptions, 'deadlineMs'>;

/** An event that will be published, under this id, once its transaction is committed. */
export type OutboxReceipt = PublishFailure;

/** An event has a key and a payload; that a record may have neither is for others. */
const EMPTY = Buffer.alloc(0);

interface EventOutboxOptions {
  /** Null where the module has no outbox. */
  readonly store: OutboxStore | null;
  readonly encoder: EventEncoder;
  readonly topicName: (topic: string) => string;
  readonly sink: SignalSink;
  /** Something was written that is committed by now. */
  readonly wake: () => void;
}

/**
 * Publishes events with the transaction that they belong to: inject it and call `add` inside.
 *
 *     await inTransaction(pool, async (tx) => {
 *       await tx.query('INSERT INTO orders …');
 *       await outbox.add(tx, OrderCreated, order);
 *     });
 *
 * They are validated and encoded at once, as `EventPublisher.publish` does it, and published by the relay
 * after the commit: at least once, under one event id. Of one key they are published in the order of the
 * calls, where these are in the order of the commits, as they are when the transaction first locks what the
 * key names.
 */
@Injectable()
export class EventOutbox {
  /** @internal Made by the module. */
  constructor(private readonly options: EventOutboxOptions) {}

  /** Whether the module has an outbox; every other call rejects without. */
  get isConfigured(): boolean {
    return this.options.store !== null;
  }

  /**
   * Has the event published when the caller's transaction commits.
   *
   * @throws InvalidEventError, EventTooLargeError as `EventPublisher.publish` does, InvalidDefinitionError,
   * NoOutboxError, or what the transaction throws.
   */
  async add<S extends EventSource>(
    tx: SqlTransaction,
    source: S,
    payload: PublishPayload<S>,
    options: OutboxEventOptions = {},
  ): Promise<OutboxReceipt> {
    const encoded = await this.#encode(event(source, payload, options));
    await this.#store.add(tx, [recordOf(encoded)]);
    return encoded.identity;
  }

  /** The same for several events, in one statement. All are validated first. */
  async addAll(
    tx: SqlTransaction,
    events: readonly OutgoingEvent[],
  ): Promise<readonly OutboxReceipt[]> {
    const encoded = await this.#encodeAll(events);
    if (encoded.length > 0) await this.#store.add(tx, encoded.map(recordOf));
    return encoded.map(({ identity }) => identity);
  }

  /**
   * Writes events in a transaction of the outbox's own: when it resolves they are durable, and will be
   * published.
   *
   * @throws as `add` does, or StoreUnavailableError.
   */
  async store(...events: readonly OutgoingEvent[]): Promise<readonly OutboxReceipt[]> {
    const encoded = await this.#encodeAll(events);
    if (encoded.length > 0) await this.#store.store(encoded.map(recordOf));
    this.options.wake();
    return encoded.map(({ identity }) => identity);
  }

  /** Whether events of that topic and key wait: what is published past the outbox would overtake them. */
  async pendingFor(source: EventSource, key: string): Promise<boolean> {
    const topic = this.options.topicName(contractOf(source).topic);
    return this.#store.pendingFor(topic, Buffer.from(key));
  }

  /** @internal Writes an event that is encoded already, as `store` does. */
  async storeEncoded(encoded: EncodedEvent): Promise<void> {
    refuseZeroBytes(encoded.identity);
    await this.#store.store([recordOf(encoded)]);
    this.options.wake();
  }

  /** @internal Whether events of that physical topic and key wait. */
  holds(topic: string, key: Buffer): Promise<boolean> {
    return this.#store.pendingFor(topic, key);
  }

  /** @internal Whether none wait at all. */
  async isEmpty(): Promise<boolean> {
    return (await this.#store.stats()).pending === 0;
  }

  stats(): Promise<OutboxStats> {
    return this.#store.stats();
  }

  /** Events that the broker refuses, which hold their keys; the oldest first. */
  async held(limit = 100): Promise<readonly HeldRecord[]> {
    return this.#store.held(limit);
  }

  /**
   * Gives up an event that the broker refuses: true when it is never published, and later ones of its key go on.
   * False where no such event is held, for the moment perhaps: it is just being tried again.
   */
  async discard(eventId: string): Promise<boolean> {
    const records = await this.#store.discard(eventId);
    if (records === 0) return false;
    this.options.sink.emit('outboxDiscarded', { eventId });
    this.options.wake();
    return true;
  }

  get #store(): OutboxStore {
    const { store } = this.options;
    if (store === null) throw new NoOutboxError();
    return store;
  }

  #encodeAll(events: readonly OutgoingEvent[]): Promise<readonly EncodedEvent[]> {
    return Promise.all(events.map((one) => this.#encode(one)));
  }

  async #encode({ source, payload, options }: OutgoingEvent): Promise<EncodedEvent> {
    const { encoder } = this.options;
    const contract = contractOf(source);
    const identity = encoder.identify(contract, options);
    refuseZeroBytes(identity);
    return encoder.encode(identity, contract, payload, options);
  }
}

function recordOf({ identity, record }: EncodedEvent): OutboxRecord {
  const { key, value, headers } = record;
  return { ...identity, key: key ?? EMPTY, value: value ?? EMPTY, headers };
}

/** No database keeps them in a text. */
function refuseZeroBytes(identity: PublishFailure): void {
  if (!identity.eventId.includes('\u0000')) return;
  const message = 'must not contain a zero byte where the event goes through an outbox';
  throw new InvalidEventError(identity, [{ path: 'options.eventId', message }]);
}
