import { NonRetryableEventError, toError } from '../kafka-events.errors.js';
import type { ProjectedEvent, Projects, ViewDefinition } from './view-definition.js';
import { isRecent, withRecent } from './recent-events.js';
import type { KeptRow, ViewChange, ViewWork } from './view-store.js';

/** Keys are kept in indexes, which do not take any length. */
const MAX_KEY = 512;

/** A record on its way into a view. */
export interface ProjectedRecord {
  readonly offset: bigint;
  /** Of its event, as `markOf` makes it. */
  readonly mark: string;
  /** Null for a record without a value. */
  readonly projection: Projects | null;
  readonly payload: unknown;
  readonly event: ProjectedEvent;
}

/** The record that keeps those behind it from being applied. */
export interface FailedRecord {
  readonly index: number;
  readonly error: Error;
}

/**
 * What records of one partition do to rows: applied one after another up to the first that fails, and
 * skipped where the partition's position says that they were applied before, or their row that it has their event: a
 * publisher that repeats itself writes a copy further on.
 */
export class ViewChanges {
  readonly #planned: { readonly record: ProjectedRecord; readonly key: string }[] = [];
  readonly #unreadable: FailedRecord | null = null;
  #failed: FailedRecord | null = null;

  constructor(
    private readonly view: ViewDefinition,
    records: readonly ProjectedRecord[],
  ) {
    for (const [index, record] of records.entries()) {
      try {
        this.#planned.push({ record, key: keyOf(view, record) });
      } catch (thrown) {
        this.#unreadable = { index, error: toError(thrown) };
        break;
      }
    }
  }

  /** The keys of rows that may change. */
  get keys(): readonly string[] {
    return [...new Set(this.#planned.map(({ key }) => key))];
  }

  /** The first record that could not be applied, as of the latest `work`; null when all were. */
  get failed(): FailedRecord | null {
    return this.#failed;
  }

  /** What a store asks for, perhaps more than once. */
  readonly work: ViewWork = (position, rows) => {
    this.#failed = this.#unreadable;
    const changed = new Map<string, KeptRow | null>();
    let next = position;
    for (const [index, { record, key }] of this.#planned.entries()) {
      if (record.offset < position) continue;
      const current = changed.get(key) ?? (changed.has(key) ? null : (rows.get(key) ?? null));
      try {
        if (!hasHad(current, record)) changed.set(key, this.#apply(record, current));
      } catch (thrown) {
        this.#failed = { index, error: toError(thrown) };
        break;
      }
      next = record.offset + 1n;
    }
    return { position: next, rows: withoutNothing(changed, rows) };
  };

  #apply(
    { mark, projection, payload, event }: ProjectedRecord,
    row: KeptRow | null,
  ): KeptRow | null {
    if (projection === null) return null;
    // A copy each time: what a projection does to it, even if it then fails, nobody else sees.
    const current: unknown = row === null ? null : JSON.parse(row.json);
    const value = projection.apply(current, payload, event);
    if (value === null) return null;
    return {
      json: jsonOf(value, this.view.name),
      version: (row?.version ?? 0) + 1,
      recent: withRecent(row?.recent ?? '', mark),
    };
  }
}

function hasHad(row: KeptRow | null, { mark, projection }: ProjectedRecord): boolean {
  return row !== null && projection !== null && isRecent(row.recent, mark);
}

/** A row that came and went between two looks need not be deleted. */
function withoutNothing(
  changed: ReadonlyMap<string, KeptRow | null>,
  rows: ReadonlyMap<string, KeptRow>,
): ViewChange['rows'] {
  return new Map([...changed].filter(([key, row]) => row !== null || rows.has(key)));
}

function keyOf(view: ViewDefinition, { projection, payload, event }: ProjectedRecord): string {
  const key: unknown = projection === null ? event.aggregateId : projection.keyOf(payload, event);
  if (typeof key === 'string' && key !== '' && key.length <= MAX_KEY && isStorable(key)) return key;
  const found =
    typeof key === 'string' ? `a text of ${String(key.length)}` : `a value of type ${typeof key}`;
  throw new NonRetryableEventError(
    `the view "${view.name}" needs a key of 1 to ${String(MAX_KEY)} characters that are Unicode and not U+0000, ` +
      `but its projection of ${event.eventType} gives ${found}`,
  );
}

function jsonOf(value: unknown, view: string): string {
  const refuse = (why: string, cause?: unknown): never => {
    throw new NonRetryableEventError(
      `the view "${view}" cannot keep what its projection answers: ${why}`,
      {
        cause,
      },
    );
  };
  if (value instanceof Promise) return refuse('a promise; projections answer at once');
  let json: unknown;
  try {
    // Typed as text, yet undefined for undefined, functions and symbols.
    json = JSON.stringify(value);
  } catch (error) {
    return refuse('it has no JSON form', error);
  }
  if (typeof json !== 'string' || json === 'null')
    return refuse(`a value of type ${typeof value} has no JSON form`);
  return UNSTORABLE.test(json) ? refuse('a text in it has U+0000 or half a surrogate pair') : json;
}

/** As `JSON.stringify` writes U+0000 and lone surrogates; a backslash before it would be text. */
const UNSTORABLE = /(?<!\\)(?:\\\\)*\\u(?:0000|d[89a-f][0-9a-f]{2})/;

function isStorable(text: string): boolean {
  return !UNSTORABLE.test(JSON.stringify(text));
}
