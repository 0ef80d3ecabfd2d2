import type { MaybePromise } from '../contracts/maybe-promise.js';
import type { TopicPartition } from '../kafka/records.js';

/**
 * The port of materialised views: keeps rows, and for each partition how far they have come.
 *
 * A view is built in generations. Each has rows and positions of its own, and moves like this:
 *
 *     (absent) ──begin──▶ building ──swap──▶ live ──another is swapped in──▶ retired ──sweep──▶ (absent)
 *
 * There is one live generation of a version of a view at the most, and one that is being built.
 *
 * Duties of a store: each call is atomic, and what it has answered stays true; `change` has rows and
 * position move together or not at all. Duties of the engine: rows of a partition come in the order
 * of offsets. A call that fails rejects with any error: the engine asks again later.
 */
export interface ViewStore {
  /** For messages and health, for example `memory`. */
  readonly name: string;
  /**
   * True when rows live in this process alone: each process then reads the whole log for itself, from the
   * beginning, at every start.
   */
  readonly inProcess: boolean;
  /** Called before all else; rejects when the store cannot be used as it is, and says why. */
  verify?(): MaybePromise<void>;
  /** Generations that are being built or live. */
  generations(view: ViewRef): MaybePromise<readonly Generation[]>;
  /** Begins a generation under that id, unless one is being built; answers the id of the one that is. */
  begin(view: ViewRef, id: string): MaybePromise<string>;
  /**
   * Changes rows by records of one partition, in one transaction that no other of this partition runs
   * beside: reads the position of the partition and the rows of these keys, asks `work` what becomes of them,
   * and writes both. `work` may be asked more than once, the last answer counts.
   *
   * @param keys without duplicates; `work` changes no other.
   */
  change(place: ChangePlace, keys: readonly string[], work: ViewWork): MaybePromise<ChangeAnswer>;
  /**
   * Has `change` answer `frozen` for that generation for so long, once those under way are over. False when it
   * is frozen already, or was within the last `forMs`, or is not live.
   */
  freeze(generation: string, forMs: number): MaybePromise<boolean>;
  /**
   * Makes a generation that is being built the live one, and retires the one that was. False, and nothing
   * changes, unless it has come as far in every partition, and the live one is frozen.
   *
   * @param known where the generation is known to be beyond what it has changed: records that change nothing.
   */
  swap(view: ViewRef, id: string, known: readonly ViewPosition[]): MaybePromise<boolean>;
  /** Rows of the live generation by key; null where there is no live one. */
  read(view: ViewRef, keys: readonly string[]): MaybePromise<ReadonlyMap<string, StoredRow> | null>;
  /** Rows of the live generation in the order of the UTF-8 bytes of their keys; null where there is no live one. */
  list(view: ViewRef, query: RowQuery): MaybePromise<readonly KeyedRow[] | null>;
  /**
   * Notes that this version is in use; removes some of what is not: rows of retired generations, and other versions
   * of the view that nobody has noted for `unusedMs`, once this one is live. True when there is more to remove.
   */
  sweep(view: ViewRef, unusedMs: number): MaybePromise<boolean>;
  /** Frees what the store holds; called after the last call, perhaps twice. */
  close?(): MaybePromise<void>;
}

/** A view as its store knows it. */
export interface ViewRef {
  /** Its name, with the consumer group of its application: unique in a store. */
  readonly view: string;
  readonly version: number;
}

export interface Generation {
  readonly id: string;
  readonly state: 'building' | 'live';
  /** Of the partitions in which records have changed it. */
  readonly positions: readonly ViewPosition[];
}

/** How far a partition is dealt with. */
export interface ViewPosition extends TopicPartition {
  /** The next offset. */
  readonly offset: bigint;
}

/** Where records come from, and which generation they are for. */
export interface ChangePlace extends TopicPartition {
  readonly generation: string;
}

export interface StoredRow {
  /** The value as JSON; without the escapes `\u0000` and those of half surrogate pairs. */
  readonly json: string;
  /** Events that have changed the row since it came to be. */
  readonly version: number;
}

/** A row as changes know it. */
export interface KeptRow extends StoredRow {
  /** By which the engine knows the events that changed it last: up to 400 ASCII characters, kept as they are. */
  readonly recent: string;
}

export interface KeyedRow extends StoredRow {
  readonly key: string;
}

/**
 * What becomes of rows.
 *
 * @param position the next offset of the partition: what is before it has been dealt with.
 */
export type ViewWork = (position: bigint, rows: ReadonlyMap<string, KeptRow>) => ViewChange;

export interface ViewChange {
  /** The next offset from then on; never less than it was. */
  readonly position: bigint;
  /** Rows that change; null deletes. */
  readonly rows: ReadonlyMap<string, KeptRow | null>;
}

/** `gone`: there is no such generation, or it is retired. */
export type ChangeAnswer = 'changed' | 'frozen' | 'gone';

export interface RowQuery {
  /** What their keys begin with; empty for all. */
  readonly prefix: string;
  /** Only keys behind this one; empty for all. */
  readonly after: string;
  /** Properties that their values have, compared by value. */
  readonly where: Readonly<Record<string, RowValue>>;
  readonly limit: number;
}

/** What a property may be compared with. */
export type RowValue = string | number | boolean | null;
