import { readPayload } from '../consuming/read-payload.js';
import type { EventContract } from '../contracts/event-contract.js';
import { contractOf, type EventPayload, type EventSource } from '../contracts/event-source.js';
import type { MaybePromise } from '../contracts/maybe-promise.js';
import { withinMs } from '../contracts/within.js';
import { InvalidPayloadError, UndecodableRecordError } from '../kafka-events.errors.js';
import type { Signals } from '../observability/observer.js';
import type { EventJournal, SightedName, Sighting } from './event-journal.js';
import { EventSpyTimeoutError } from './event-spy-timeout.error.js';
import type { SightedRecord } from './sighted-record.js';
import { spiedEnvelope, type SpiedEvent } from './spied-event.js';

/** `topic` is its name on the broker. */
export type PublishedEvent<S extends EventSource> = Signals['published'] &
  SpiedEvent<EventPayload<S>>;
/** With `handlerId`, `groupId`, `attempt` (1 for the first), `durationMs`, `topic`, `partition` and `offset`. */
export type HandledEvent<S extends EventSource> = Signals['handled'] & SpiedEvent<EventPayload<S>>;
/** With `handlerId`, `groupId`, `state` (what the earlier one ended as), `topic`, `partition` and `offset`. */
export type DuplicateEvent<S extends EventSource> = Signals['duplicate'] &
  SpiedEvent<EventPayload<S>>;
/**
 * With `reason`, `error`, `handlerId` (null where none was chosen), `groupId`, `deadLetterTopic`,
 * `topic`, `partition` and `offset`. The payload is null where the record holds no valid one.
 */
export type DeadLetteredEvent<S extends EventSource> = Signals['deadLettered'] &
  SpiedEvent<EventPayload<S> | null>;

/** Says whether an event is the one that is meant. */
export type EventMatch<E extends SpiedEvent<unknown>> = (
  payload: E['payload'],
  event: E,
) => boolean;

export interface EventSpyOptions {
  /** How long to wait. Default 4 s: less than the 5 s that test runners give a test. */
  readonly timeoutMs?: number;
}

const DEFAULT_TIMEOUT_MS = 4_000;

/**
 * Tells a test what became of its events: inject it from `KafkaEventsTestingModule`.
 *
 *     const { attempt } = await spy.handled(OrderCreated, ({ orderId }) => orderId === 'o-1');
 *
 * `published`, `handled`, `duplicate` and `deadLettered` answer the first event that matches, among
 * those that came already and those to come; the latter three once for each handler. They reject
 * with `EventSpyTimeoutError` when none comes in time, and with what `matches` throws. The lists
 * (`handledEvents`, …) answer at once. Records without a value (tombstones) are left out.
 */
export class EventSpy {
  /** @internal */
  constructor(private readonly journal: EventJournal) {}

  /** The broker has acknowledged it, from this application. */
  published<S extends EventSource>(
    source: S,
    matches?: EventMatch<PublishedEvent<S>>,
    options?: EventSpyOptions,
  ): Promise<PublishedEvent<S>> {
    return this.#first('published', source, readPublished<S>, matches, options);
  }

  /** A handler has succeeded and its claim is marked; the offset may not be committed yet. */
  handled<S extends EventSource>(
    source: S,
    matches?: EventMatch<HandledEvent<S>>,
    options?: EventSpyOptions,
  ): Promise<HandledEvent<S>> {
    return this.#first('handled', source, readHandled<S>, matches, options);
  }

  /** It came again after it had been dealt with, and the handler did not run. */
  duplicate<S extends EventSource>(
    source: S,
    matches?: EventMatch<DuplicateEvent<S>>,
    options?: EventSpyOptions,
  ): Promise<DuplicateEvent<S>> {
    return this.#first('duplicate', source, readDuplicate<S>, matches, options);
  }

  /** The dead-letter topic has acknowledged it. */
  deadLettered<S extends EventSource>(
    source: S,
    matches?: EventMatch<DeadLetteredEvent<S>>,
    options?: EventSpyOptions,
  ): Promise<DeadLetteredEvent<S>> {
    return this.#first('deadLettered', source, readDeadLettered<S>, matches, options);
  }

  publishedEvents<S extends EventSource>(source: S): Promise<PublishedEvent<S>[]> {
    return this.#all(source, readPublished<S>);
  }

  handledEvents<S extends EventSource>(source: S): Promise<HandledEvent<S>[]> {
    return this.#all(source, readHandled<S>);
  }

  duplicateEvents<S extends EventSource>(source: S): Promise<DuplicateEvent<S>[]> {
    return this.#all(source, readDuplicate<S>);
  }

  deadLetteredEvents<S extends EventSource>(source: S): Promise<DeadLetteredEvent<S>[]> {
    return this.#all(source, readDeadLettered<S>);
  }

  /** Forgets what came so far, as between tests that share an application. */
  clear(): void {
    this.journal.clear();
  }

  async #first<E extends SpiedEvent<unknown>>(
    name: SightedName,
    source: EventSource,
    read: Reader<E>,
    matches: EventMatch<E> = () => true,
    { timeoutMs = DEFAULT_TIMEOUT_MS }: EventSpyOptions = {},
  ): Promise<E> {
    const contract = contractOf(source);
    const deadline = performance.now() + timeoutMs;
    let next = 0;
    do {
      for (const sighting of this.journal.since(next)) {
        next = sighting.number + 1;
        const event = await this.#read(contract, sighting, read);
        if (event !== null && matches(event.payload, event)) return event;
      }
    } while (await withinMs(this.journal.reaches(next), deadline - performance.now()));
    throw new EventSpyTimeoutError({ name, contract, timeoutMs }, this.journal);
  }

  async #all<E>(source: EventSource, read: Reader<E>): Promise<E[]> {
    const contract = contractOf(source);
    const sightings = this.journal.since(0);
    const events = sightings.map((sighting) => this.#read(contract, sighting, read));
    return (await Promise.all(events)).filter((event) => event !== null);
  }

  async #read<E>(contract: EventContract, sighting: Sighting, read: Reader<E>): Promise<E | null> {
    return this.journal.isAbout(contract, sighting) ? read(contract, sighting) : null;
  }
}

/** Answers null for a sighting of another kind, and for a tombstone. */
type Reader<E> = (contract: EventContract, sighting: Sighting) => MaybePromise<E | null>;

function readPublished<S extends EventSource>(contract: EventContract, sighting: Sighting) {
  return sighting.name === 'published'
    ? withPayload<S, Signals['published']>(contract, sighting)
    : null;
}

function readHandled<S extends EventSource>(contract: EventContract, sighting: Sighting) {
  return sighting.name === 'handled'
    ? withPayload<S, Signals['handled']>(contract, sighting)
    : null;
}

function readDuplicate<S extends EventSource>(contract: EventContract, sighting: Sighting) {
  return sighting.name === 'duplicate'
    ? withPayload<S, Signals['duplicate']>(contract, sighting)
    : null;
}

async function readDeadLettered<S extends EventSource>(
  contract: EventContract,
  sighting: Sighting,
): Promise<DeadLetteredEvent<S> | null> {
  if (sighting.name !== 'deadLettered') return null;
  try {
    return await withPayload<S, Signals['deadLettered']>(contract, sighting);
  } catch (error) {
    // That is what it may have been dead-lettered for.
    if (!(error instanceof InvalidPayloadError || error instanceof UndecodableRecordError))
      throw error;
    const { signal, record } = sighting;
    return record === null ? null : { ...spiedEnvelope(record), ...signal, payload: null };
  }
}

async function withPayload<S extends EventSource, Signal extends object>(
  contract: EventContract,
  { signal, record }: { readonly signal: Signal; readonly record: SightedRecord | null },
): Promise<(Signal & SpiedEvent<EventPayload<S>>) | null> {
  if (record?.value === undefined || record.value === null) return null;
  // The contract is S's own: what it accepts is S's payload.
  const payload = (await readPayload(contract, record)) as EventPayload<S>;
  return { ...spiedEnvelope(record), ...signal, payload };
}
