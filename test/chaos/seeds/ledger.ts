import type { CompletedState } from '../../../lib/idempotency/idempotency-store.js';
import { KnownFacts, letterAt, workOf, type ParkedCopy } from './known-facts.js';
import type { Plan } from './plan.js';
import { handlersOf, isPoison, type HandlerId, type PlannedRecord } from './planned-record.js';
import { RETRY_TOPIC, type Place } from './topics.js';

/** A handler's work on one record that it was called for, in one process. */
export interface Run {
  readonly handler: HandlerId;
  readonly record: PlannedRecord;
  /** In its own topic, wherever it was fetched from. */
  readonly place: Place;
  readonly member: string;
}

/**
 * What happened, written down outside of everything that can fail: by the handlers, the store and
 * the broker, at the moment at which it cannot be undone. It knows what must never happen.
 */
export class Ledger {
  readonly violations: string[] = [];
  readonly story: string[] = [];
  effects = 0;
  /** Effects of an event whose first effect had not been completed: what a crash may repeat. */
  repeatedBeforeComplete = 0;
  readonly #records: ReadonlyMap<string, PlannedRecord>;
  readonly #facts = new KnownFacts();
  readonly #running = new Set<Run>();
  /** By handler and event. */
  readonly #effects = new Map<string, number>();
  readonly #failures = new Map<string, number>();

  constructor(
    private readonly plan: Plan,
    private readonly now: () => number,
  ) {
    const records = plan.bursts.flatMap((burst) => burst.records);
    this.#records = new Map(records.map((record) => [record.id, record]));
  }

  /** Whether everything that is in the logs is committed. */
  get isAtRest(): boolean {
    return this.#facts.source.uncommitted === 0 && this.#facts.retries.uncommitted === 0;
  }
  get deadLetters(): number {
    return this.#facts.deadLetters.size;
  }
  get parked(): number {
    return this.#facts.retries.places.length;
  }
  /** For people: what is not committed yet. */
  get unfinished(): string[] {
    return this.#facts.unfinished;
  }

  tell(line: string): void {
    this.story.push(`${this.now().toFixed(1).padStart(9)} ${line}`);
  }

  violated(what: string): void {
    this.tell(`VIOLATION: ${what}`);
    this.violations.push(what);
  }

  /** The broker has these events in the log, from that place on; it may say so again. */
  appended(from: Place, eventIds: readonly string[]): void {
    const { source } = this.#facts;
    for (const place of this.#facts.append(from, eventIds.map(this.recordOf))) {
      const { id, kind, key, type } = source.at(place);
      this.tell(`${source.nameOf(place)} is ${id}, ${kind}, ${key}, ${type}`);
    }
  }

  /** The broker has these in the retry topic, from that place on; it may say so again. */
  appendedParked(from: Place, copies: readonly ParkedCopy[]): void {
    const { source, retries } = this.#facts;
    for (const place of this.#facts.appendParked(from, copies)) {
      const { handler, eventId, level, origin } = retries.at(place);
      const name = `${workOf(handler, eventId)} of ${source.nameOf(origin)}`;
      this.tell(`${retries.nameOf(place)} is ${name}, level ${String(level)}`);
      if (!source.has(origin) || source.at(origin).id !== eventId) {
        this.violated(`${name} is parked, but was not there`);
      }
    }
  }

  readonly recordOf = (id: string): PlannedRecord => {
    const record = this.#records.get(id);
    if (record === undefined) throw new Error(`nobody planned ${id}`);
    return record;
  };

  /** A handler was called, for these records in this order. */
  begin(call: readonly Run[]): void {
    const { source } = this.#facts;
    call.forEach((run, i) => {
      const name = nameOf(run);
      this.tell(`${run.member}: ${name} begins, from ${source.nameOf(run.place)}`);
      if (this.#facts.completed.has(name)) this.violated(`${name} runs though completed`);
      for (const other of this.#running) {
        if (!this.#mayBeBeside(run, other, call)) {
          this.violated(`${name} runs beside ${nameOf(other)}`);
        }
      }
      const before = call.slice(0, i).map(({ place }) => source.nameOf(place));
      for (const place of this.#waitedForBy(run).map((each) => source.nameOf(each))) {
        if (!before.includes(place)) this.violated(`${name} runs before ${place} has ended`);
      }
      this.#running.add(run);
    });
  }

  effect(run: Run): void {
    const work = nameOf(run);
    this.tell(`${run.member}: ${work} takes effect`);
    if (this.#facts.completed.has(work)) {
      this.violated(`${work} takes effect again though completed`);
    }
    const times = this.#effects.get(work) ?? 0;
    if (times > 0) this.repeatedBeforeComplete++;
    this.#effects.set(work, times + 1);
    this.effects++;
  }

  /** Counts a failure, in whatever process. */
  failure(run: Run): void {
    this.tell(`${run.member}: ${nameOf(run)} fails`);
    this.#failures.set(nameOf(run), this.failuresOf(run) + 1);
  }

  failuresOf(run: Run): number {
    return this.#failures.get(nameOf(run)) ?? 0;
  }

  end(call: readonly Run[]): void {
    for (const run of call) this.#running.delete(run);
  }

  died(member: string): void {
    for (const run of this.#running) if (run.member === member) this.#running.delete(run);
  }

  /** The store has a mark. */
  completed(handler: string, eventId: string, state: CompletedState): void {
    const { completed, deadLetters } = this.#facts;
    const work = workOf(handler, eventId);
    const before = completed.get(work);
    if (before === state) return;
    this.tell(`store: ${work} is ${state}`);
    if (before !== undefined) this.violated(`${work} was ${before} and is ${state}`);
    if (state === 'parked') {
      if (!this.#facts.isParked(work)) this.violated(`${work} is ${state}, but not in its topic`);
      return;
    }
    if (state === 'done' && !this.#effects.has(work)) this.violated(`${work} is done undone`);
    const letter = this.#facts.letterOf(eventId, handler) ?? '';
    if (state === 'dead' && !deadLetters.has(letter)) {
      this.violated(`${work} is dead, but not in the dead-letter topic`);
    }
    completed.set(work, state);
    const { holdsKeys } = this.plan.handling;
    if (holdsKeys && state === 'dead' && handler === 'reserve') this.#facts.holding.add(work);
  }

  /** An operator lets the key go of a record that a handler has dead-lettered. */
  released(handler: string, place: Place): void {
    const work = workOf(handler, this.#facts.source.at(place).id);
    this.tell(`operator: lets the key of ${work} go`);
    this.#facts.holding.delete(work);
  }

  /** The broker has a dead letter. */
  deadLettered(place: Place, handler: string | null): void {
    const letter = letterAt(place, handler);
    this.tell(`dead letter of ${letter}`);
    this.#facts.deadLetters.add(letter);
  }

  /** The broker has accepted an offset. */
  committed(topic: string, place: Place): void {
    const { source, retries } = this.#facts;
    const log = topic === RETRY_TOPIC ? retries : source;
    const name = log.nameOf(place);
    this.tell(`committed to ${name}`);
    if (place.offset < log.committed(place.partition)) this.violated(`committed back to ${name}`);
    for (const passed of log.commit(place)) {
      const isPast = log === retries ? this.#facts.isRetried(passed) : this.#facts.isPast(passed);
      if (!isPast) this.violated(`a commit passes ${log.nameOf(passed)}`);
    }
  }

  /** At rest, all must have come to its end, and only the poison to the dead letters. */
  judge(): void {
    const { source, completed, deadLetters } = this.#facts;
    const wanted = new Set<string | null>();
    for (const place of source.places) {
      const record = source.at(place);
      for (const handler of handlersOf(record)) {
        const work = workOf(handler, record.id);
        if (isPoison(record, handler)) {
          wanted.add(this.#facts.letterOf(record.id, handler));
          if (this.#effects.has(work)) this.violated(`${work} is poison and took effect`);
        } else if (!this.#effects.has(work)) {
          this.violated(`${work} is lost`);
        }
        if (!completed.has(work)) this.violated(`${work} has not ended`);
      }
      if (record.kind === 'unknown-version') wanted.add(letterAt(place, null));
    }
    for (const letter of wanted) {
      if (letter === null || deadLetters.has(letter)) continue;
      this.violated(`${letter} is not in the dead letters`);
    }
    for (const letter of deadLetters) {
      if (!wanted.has(letter)) this.violated(`${letter} is in the dead letters`);
    }
  }

  /** Whether two runs neither break the order of their key nor do one thing twice. */
  #mayBeBeside(run: Run, other: Run, call: readonly Run[]): boolean {
    if (run.record.key !== other.record.key) return true;
    if (run.record.id === other.record.id) return run.handler !== other.handler;
    if (this.#isOutOfLine(run) || this.#isOutOfLine(other)) return true;
    if (this.plan.handling.batch === null) return false;
    return run.handler !== other.handler || call.includes(other);
  }

  /** What comes before a run in its key and has not ended. Handlers of batches keep an order each. */
  #waitedForBy(run: Run): Place[] {
    if (this.#isOutOfLine(run)) return [];
    const { source } = this.#facts;
    const { key } = run.record;
    const handlers = this.plan.handling.batch === null ? undefined : [run.handler];
    return source
      .before(run.place)
      .filter((place) => source.at(place).key === key && !this.#facts.isPast(place, handlers));
  }

  /** What is in the retry topic has given up its place among the others of its key. */
  #isOutOfLine(run: Run): boolean {
    return this.#facts.isParked(nameOf(run));
  }
}

function nameOf({ handler, record }: Run): string {
  return workOf(handler, record.id);
}
