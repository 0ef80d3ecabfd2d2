import type { CompletedState } from '../../../lib/idempotency/idempotency-store.js';
import { handlersOf, type HandlerId, type PlannedRecord } from './planned-record.js';
import { TopicLog } from './topic-log.js';
import { RETRY_TOPIC, TOPIC, type Place } from './topics.js';

/** A record of the retry topic. */
export interface ParkedCopy {
  readonly eventId: string;
  readonly handler: string;
  readonly level: number;
  /** Where it says that the record was in its own topic. */
  readonly origin: Place;
}

/** What brokers and store have acknowledged: it does not go away, whoever dies. */
export class KnownFacts {
  readonly source = new TopicLog<PlannedRecord>(TOPIC);
  readonly retries = new TopicLog<ParkedCopy>(RETRY_TOPIC);
  /** By place and handler, as `letterOf` has it. */
  readonly deadLetters = new Set<string>();
  /** Marks that no claim opens any more, by handler and event, as `workOf` has it. */
  readonly completed = new Map<string, CompletedState>();
  /** Marked dead, and nobody has let its key go: by handler and event. */
  readonly holding = new Set<string>();
  /** The highest level at which the retry topic has an event for a handler. */
  readonly #levels = new Map<string, number>();
  /** By event. */
  readonly #firstPlaces = new Map<string, Place>();

  /** Answers which of them are new there. */
  append(from: Place, records: readonly PlannedRecord[]): Place[] {
    const places = this.source.append(from, records);
    for (const place of places) {
      const { id } = this.source.at(place);
      if (!this.#firstPlaces.has(id)) this.#firstPlaces.set(id, place);
    }
    return places;
  }

  /** Answers which of them are new there. */
  appendParked(from: Place, copies: readonly ParkedCopy[]): Place[] {
    const places = this.retries.append(from, copies);
    for (const place of places) {
      const { handler, eventId, level } = this.retries.at(place);
      const work = workOf(handler, eventId);
      this.#levels.set(work, Math.max(level, this.#levels.get(work) ?? 0));
    }
    return places;
  }

  isParked(work: string): boolean {
    return this.#levels.has(work);
  }

  /** The dead letter of an event is that of its first record: those that follow are duplicates. */
  letterOf(eventId: string, handler: string): string | null {
    const first = this.#firstPlaces.get(eventId);
    return first === undefined ? null : letterAt(first, handler);
  }

  /** Whether those handlers, by default all, have ended with a record, or the retry topic has it for them. */
  isPast(place: Place, of?: readonly HandlerId[]): boolean {
    if (!this.source.has(place)) return false;
    const record = this.source.at(place);
    if (record.kind === 'unknown-version' && of === undefined) {
      return this.deadLetters.has(letterAt(place, null));
    }
    return handlersOf(record)
      .filter((handler) => of?.includes(handler) ?? true)
      .map((handler) => workOf(handler, record.id))
      .every(
        (work) => (this.completed.has(work) && !this.holding.has(work)) || this.isParked(work),
      );
  }

  /** Whether what was parked there has ended, or was parked again. */
  isRetried(place: Place): boolean {
    if (!this.retries.has(place)) return false;
    const { handler, eventId, level } = this.retries.at(place);
    const work = workOf(handler, eventId);
    return this.completed.has(work) || (this.#levels.get(work) ?? 0) > level;
  }

  /** For people: what is not committed yet. */
  get unfinished(): string[] {
    const of = (log: TopicLog<unknown>, isPast: (place: Place) => boolean): string[] =>
      log.places
        .filter(({ partition, offset }) => offset >= log.committed(partition))
        .map((place) => `${log.nameOf(place)}${isPast(place) ? ' (ended)' : ''}`);
    return [
      ...of(this.source, (place) => this.isPast(place)),
      ...of(this.retries, (place) => this.isRetried(place)),
    ];
  }
}

export function workOf(handler: string, eventId: string): string {
  return `${handler}/${eventId}`;
}

/** @param handler null: it reached none. */
export function letterAt({ partition, offset }: Place, handler: string | null): string {
  return `${String(partition)}@${String(offset)}/${handler ?? 'nobody'}`;
}
