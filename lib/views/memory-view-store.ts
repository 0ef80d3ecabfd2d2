import { systemClock, type Clock } from '../contracts/clock.js';
import { ViewFullError } from '../kafka-events.errors.js';
import { partitionName } from '../kafka/records.js';
import type {
  ChangeAnswer,
  ChangePlace,
  Generation,
  KeptRow,
  KeyedRow,
  RowQuery,
  StoredRow,
  ViewPosition,
  ViewRef,
  ViewStore,
  ViewWork,
} from './view-store.js';

export interface MemoryViewStoreOptions {
  /** Rows that one generation of a view may have. Default 100,000. */
  readonly maxRows?: number;
  /** @internal */
  readonly clock?: Clock;
}

interface MemoryGeneration {
  readonly id: string;
  readonly view: ViewRef;
  state: Generation['state'];
  readonly rows: Map<string, KeptRow>;
  /** Keys in the order of their bytes; null when they have changed since it was made. */
  order: readonly string[] | null;
  readonly positions: Map<string, ViewPosition>;
  frozenUntil: number;
}

const MAX_ROWS = 100_000;

/**
 * Views in the memory of this process: read from the beginning of the log at every start.
 *
 * A view that outgrows `maxRows` changes no more, which health tells, and forgets nothing.
 */
export class MemoryViewStore implements ViewStore {
  readonly name = 'memory';
  readonly inProcess = true;
  readonly #generations = new Map<string, MemoryGeneration>();
  readonly #maxRows: number;
  readonly #clock: Clock;

  constructor({ maxRows = MAX_ROWS, clock = systemClock }: MemoryViewStoreOptions = {}) {
    if (!Number.isSafeInteger(maxRows) || maxRows < 1) {
      throw new RangeError(`maxRows must be a positive integer, not ${String(maxRows)}`);
    }
    this.#maxRows = maxRows;
    this.#clock = clock;
  }

  generations(view: ViewRef): readonly Generation[] {
    return this.#of(view).map(({ id, state, positions }) => {
      return { id, state, positions: [...positions.values()] };
    });
  }

  begin(view: ViewRef, id: string): string {
    const building = this.#of(view).find(({ state }) => state === 'building');
    if (building !== undefined) return building.id;
    this.#generations.set(id, {
      id,
      view,
      state: 'building',
      rows: new Map(),
      order: null,
      positions: new Map(),
      frozenUntil: Number.NEGATIVE_INFINITY,
    });
    return id;
  }

  change(place: ChangePlace, keys: readonly string[], work: ViewWork): ChangeAnswer {
    const generation = this.#generations.get(place.generation);
    if (generation === undefined) return 'gone';
    if (generation.frozenUntil > this.#clock.now()) return 'frozen';
    const { rows, positions } = generation;
    const known = keys.flatMap((key): [string, KeptRow][] => {
      const row = rows.get(key);
      return row === undefined ? [] : [[key, row]];
    });
    const { topic, partition } = place;
    const change = work(positions.get(partitionName(place))?.offset ?? 0n, new Map(known));
    this.#refuseTooMany(generation, change.rows);
    const before = rows.size;
    let isShuffled = false;
    for (const [key, row] of change.rows) {
      isShuffled ||= row === null;
      if (row === null) rows.delete(key);
      else rows.set(key, row);
    }
    if (isShuffled || rows.size !== before) generation.order = null;
    positions.set(partitionName(place), { topic, partition, offset: change.position });
    return 'changed';
  }

  freeze(id: string, forMs: number): boolean {
    const generation = this.#generations.get(id);
    const now = this.#clock.now();
    if (generation?.state !== 'live' || generation.frozenUntil + forMs > now) return false;
    generation.frozenUntil = now + forMs;
    return true;
  }

  swap(view: ViewRef, id: string, known: readonly ViewPosition[]): boolean {
    const next = this.#generations.get(id);
    if (next?.state !== 'building') return false;
    const live = this.#live(view);
    if (live !== undefined) {
      if (live.frozenUntil <= this.#clock.now()) return false;
      const floors = new Map(known.map((each) => [partitionName(each), each.offset]));
      const isBehind = [...live.positions].some(([name, { offset }]) => {
        return max(next.positions.get(name)?.offset ?? 0n, floors.get(name) ?? 0n) < offset;
      });
      if (isBehind) return false;
      this.#generations.delete(live.id);
    }
    next.state = 'live';
    return true;
  }

  read(view: ViewRef, keys: readonly string[]): ReadonlyMap<string, StoredRow> | null {
    const rows = this.#live(view)?.rows;
    if (rows === undefined) return null;
    return new Map(
      keys.flatMap((key): [string, StoredRow][] => {
        const row = rows.get(key);
        return row === undefined ? [] : [[key, shown(row)]];
      }),
    );
  }

  list(view: ViewRef, { prefix, after, where, limit }: RowQuery): readonly KeyedRow[] | null {
    const live = this.#live(view);
    if (live === undefined) return null;
    const wanted = Object.entries(where);
    const keys = (live.order ??= inByteOrder([...live.rows.keys()]));
    const found: KeyedRow[] = [];
    for (let i = firstBehind(keys, after); i < keys.length && found.length < limit; i++) {
      const key = keys[i] ?? '';
      const row = key.startsWith(prefix) ? live.rows.get(key) : undefined;
      if (row !== undefined && hasAll(row.json, wanted)) found.push({ key, ...shown(row) });
    }
    return found;
  }

  /** What is retired is gone at once, and there is one version of each view in a process. */
  sweep(): boolean {
    return false;
  }

  close(): void {
    this.#generations.clear();
  }

  #of({ view, version }: ViewRef): MemoryGeneration[] {
    return [...this.#generations.values()].filter(
      (each) => each.view.view === view && each.view.version === version,
    );
  }

  #live(view: ViewRef): MemoryGeneration | undefined {
    return this.#of(view).find(({ state }) => state === 'live');
  }

  #refuseTooMany(
    { view: { view }, rows }: MemoryGeneration,
    changes: ReadonlyMap<string, KeptRow | null>,
  ): void {
    let size = rows.size;
    for (const [key, row] of changes) {
      if (row === null && rows.has(key)) size--;
      if (row !== null && !rows.has(key)) size++;
    }
    if (size > rows.size && size > this.#maxRows) throw new ViewFullError(view, this.#maxRows);
  }
}

function shown({ json, version }: KeptRow): StoredRow {
  return { json, version };
}

/** As text sorts by UTF-16, bytes must be compared: a store elsewhere knows nothing of UTF-16. */
function inByteOrder(keys: readonly string[]): readonly string[] {
  return keys
    .map((key) => ({ key, bytes: Buffer.from(key) }))
    .sort((a, b) => a.bytes.compare(b.bytes))
    .map(({ key }) => key);
}

function firstBehind(keys: readonly string[], after: string): number {
  const bytes = Buffer.from(after);
  let [low, high] = [0, keys.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (Buffer.from(keys[middle] ?? '').compare(bytes) > 0) high = middle;
    else low = middle + 1;
  }
  return low;
}

function hasAll(json: string, wanted: readonly [string, unknown][]): boolean {
  if (wanted.length === 0) return true;
  const value: unknown = JSON.parse(json);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return wanted.every(([name, expected]) => {
    return Object.hasOwn(value, name) && Reflect.get(value, name) === expected;
  });
}

function max(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}
