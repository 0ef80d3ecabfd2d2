import type { CompletedState } from '../../../lib/idempotency/idempotency-store.js';
import type { Plan, PlannedRecord } from './plan.js';

export const HANDLERS = { created: ['reserve', 'audit'], shipped: ['reserve'] } as const;
export type HandlerId = (typeof HANDLERS)[keyof typeof HANDLERS][number];

/** One call of a handler, in one process. */
export interface Run {
  readonly handler: HandlerId;
  readonly record: PlannedRecord;
  readonly member: string;
}

interface Place {
  readonly partition: number;
  readonly offset: number;
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
  readonly #log = new Map<number, PlannedRecord[]>();
  readonly #committed = new Map<number, number>();
  readonly #running = new Set<Run>();
  /** By handler and event. */
  readonly #effects = new Map<string, number>();
  readonly #completed = new Map<string, CompletedState>();
  readonly #failures = new Map<string, number>();
  /** By place and handler. */
  readonly #deadLetters = new Set<string>();
  readonly #firstPlaces = new Map<string, Place>();
  #waitingFor = 0;

  constructor(
    plan: Plan,
    private readonly now: () => number,
  ) {
    const records = plan.bursts.flatMap((burst) => burst.records);
    this.#records = new Map(records.map((record) => [record.id, record]));
  }

  /** Whether everything that is in the log is committed. */
  get isAtRest(): boolean {
    return this.#waitingFor === 0;
  }
  get deadLetters(): number {
    return this.#deadLetters.size;
  }

  tell(line: string): void {
    this.story.push(`${this.now().toFixed(1).padStart(9)} ${line}`);
  }

  /** The broker has written these events to a log; it may answer so again for what it has already. */
  appended(partition: number, offset: number, eventIds: readonly string[]): void {
    const log = this.#log.get(partition) ?? [];
    this.#log.set(partition, log);
    if (offset !== log.length) return;
    for (const id of eventIds) {
      const record = this.recordOf(id);
      const place = { partition, offset: log.push(record) - 1 };
      if (!this.#firstPlaces.has(id)) this.#firstPlaces.set(id, place);
      this.#waitingFor++;
      this.tell(`${nameOf(place)} is ${id}, ${record.kind}, ${record.key}, ${record.type}`);
    }
  }

  recordOf(id: string): PlannedRecord {
    const record = this.#records.get(id);
    if (record === undefined) throw new Error(`nobody planned ${id}`);
    return record;
  }

  /** A handler was called for the record at that place. */
  begin(run: Run, place: Place): void {
    const { handler, record, member } = run;
    const name = `${handler} of ${record.id}`;
    this.tell(`${member}: ${name} begins, from ${nameOf(place)}`);
    if (this.#completed.has(nameOfWork(run))) this.violated(`${name} runs though completed`);
    for (const other of this.#running) {
      if (other.record.key !== record.key) continue;
      if (other.record.id !== record.id || other.handler === handler) {
        this.violated(`${name} runs beside ${other.handler} of ${other.record.id}`);
      }
    }
    for (let offset = 0; offset < place.offset; offset++) {
      const earlier = { partition: place.partition, offset };
      if (this.#at(earlier)?.key === record.key && !this.#hasEnded(earlier)) {
        this.violated(`${name} runs before ${nameOf(earlier)} has ended`);
      }
    }
    this.#running.add(run);
  }

  effect(run: Run): void {
    const work = nameOfWork(run);
    this.tell(`${run.member}: ${run.handler} of ${run.record.id} takes effect`);
    if (this.#completed.has(work)) this.violated(`${work} takes effect again though completed`);
    const times = this.#effects.get(work) ?? 0;
    if (times > 0) this.repeatedBeforeComplete++;
    this.#effects.set(work, times + 1);
    this.effects++;
  }

  /** Counts a failure; answers how many there were, this one included, in whatever process. */
  failure(run: Run): number {
    const failures = (this.#failures.get(nameOfWork(run)) ?? 0) + 1;
    this.#failures.set(nameOfWork(run), failures);
    return failures;
  }

  failuresOf(run: Run): number {
    return this.#failures.get(nameOfWork(run)) ?? 0;
  }

  end(run: Run): void {
    this.#running.delete(run);
  }

  died(member: string): void {
    for (const run of this.#running) if (run.member === member) this.#running.delete(run);
  }

  /** The store has a mark. */
  completed(handler: string, eventId: string, state: CompletedState): void {
    const work = `${handler}/${eventId}`;
    const before = this.#completed.get(work);
    if (before === state) return;
    this.tell(`store: ${work} is ${state}`);
    if (before !== undefined) this.violated(`${work} was ${before} and is ${state}`);
    if (state === 'done' && !this.#effects.has(work)) this.violated(`${work} is done undone`);
    const first = this.#firstPlaces.get(eventId);
    const letter = first === undefined ? '' : nameOfLetter(first, handler);
    if (state === 'dead' && !this.#deadLetters.has(letter)) {
      this.violated(`${work} is dead, but not in the dead-letter topic`);
    }
    this.#completed.set(work, state);
  }

  /** The broker has a dead letter. */
  deadLettered(place: Place, handler: string | null): void {
    const letter = nameOfLetter(place, handler);
    this.tell(`dead letter of ${letter}`);
    this.#deadLetters.add(letter);
  }

  /** The broker has accepted an offset. */
  committed({ partition, offset }: Place): void {
    const before = this.#committed.get(partition) ?? 0;
    this.tell(`p${String(partition)} is committed to ${String(offset)}`);
    if (offset < before) this.violated(`a commit goes back from ${nameOf({ partition, offset })}`);
    for (let at = before; at < offset; at++) {
      const passed = { partition, offset: at };
      if (!this.#hasEnded(passed)) this.violated(`a commit passes ${nameOf(passed)}`);
    }
    this.#committed.set(partition, offset);
    this.#waitingFor -= offset - before;
  }

  /** At rest, all must have come to its end, and only the poison to the dead letters. */
  judge(): void {
    const wanted = new Set<string>();
    for (const place of this.#places()) {
      const record = this.#at(place);
      if (record === undefined) continue;
      for (const handler of handlersOf(record)) {
        const work = `${handler}/${record.id}`;
        if (isPoison(record, handler)) {
          const first = this.#firstPlaces.get(record.id);
          if (first !== undefined) wanted.add(nameOfLetter(first, handler));
          if (this.#effects.has(work)) this.violated(`${work} is poison and took effect`);
        } else if (!this.#effects.has(work)) {
          this.violated(`${work} is lost`);
        }
      }
      if (record.kind === 'unknown-version') wanted.add(nameOfLetter(place, null));
    }
    for (const letter of wanted) {
      if (!this.#deadLetters.has(letter)) this.violated(`${letter} is not in the dead letters`);
    }
    for (const letter of this.#deadLetters) {
      if (!wanted.has(letter)) this.violated(`${letter} is in the dead letters`);
    }
  }

  /** For people: what is not committed yet. */
  get unfinished(): string[] {
    return [...this.#places()]
      .filter(({ partition, offset }) => offset >= (this.#committed.get(partition) ?? 0))
      .map((place) => `${nameOf(place)}${this.#hasEnded(place) ? ' (ended)' : ''}`);
  }

  #hasEnded(place: Place): boolean {
    const record = this.#at(place);
    if (record === undefined) return false;
    if (record.kind === 'unknown-version') return this.#deadLetters.has(nameOfLetter(place, null));
    return handlersOf(record).every((handler) => this.#completed.has(`${handler}/${record.id}`));
  }

  #at({ partition, offset }: Place): PlannedRecord | undefined {
    return this.#log.get(partition)?.[offset];
  }

  *#places(): Iterable<Place> {
    for (const [partition, log] of this.#log) {
      for (let offset = 0; offset < log.length; offset++) yield { partition, offset };
    }
  }

  violated(what: string): void {
    this.tell(`VIOLATION: ${what}`);
    this.violations.push(what);
  }
}

/** Whether that handler can never succeed with it. */
export function isPoison({ kind }: PlannedRecord, handler: HandlerId): boolean {
  if (kind === 'malformed') return true;
  return handler === 'reserve' && (kind === 'refused' || kind === 'hopeless');
}

function handlersOf({ kind, type }: PlannedRecord): readonly HandlerId[] {
  return kind === 'foreign' || kind === 'unknown-version' ? [] : HANDLERS[type];
}

function nameOf({ partition, offset }: Place): string {
  return `p${String(partition)}@${String(offset)}`;
}

function nameOfLetter(place: Place, handler: string | null): string {
  return `${nameOf(place)}/${handler ?? 'nobody'}`;
}

function nameOfWork({ handler, record }: Run): string {
  return `${handler}/${record.id}`;
}
