import type { Clock } from '../contracts/clock.js';
import { ShutdownError, ViewNotReadyError } from '../kafka-events.errors.js';
import type { ViewDefinition } from './view-definition.js';
import type { ViewRunner } from './view-runner.js';
import type { RowQuery, RowValue, StoredRow, ViewStore } from './view-store.js';
import { onAbort, throwIfAborted, untilReached } from './view-wait.js';

/** A row of a view. */
export interface ViewRow<T> {
  readonly key: string;
  readonly value: T;
  /** Events that have changed the row since it came to be; it starts anew with a row that was deleted. */
  readonly version: number;
  /** As {@link ViewStaleness.ageMs}, when the row was read. */
  readonly ageMs: number | null;
}

/** How far a view is behind the log, as last seen: about once a second. */
export interface ViewStaleness {
  /**
   * Milliseconds since the log was last seen to hold nothing that the view does not have by now: whatever was in
   * the log before is in the view. Null before that is known.
   */
  readonly ageMs: number | null;
  /**
   * Offsets between the view and the end of the log when it was last looked at; those of records that mean nothing
   * to the view count, too. Null before the first look.
   */
  readonly recordsBehind: number | null;
}

/** Where an event is: a receipt of `publish`, the context of a handler, or any position. */
export interface ViewTarget {
  /** The physical topic. */
  readonly topic: string;
  readonly partition: number;
  /** Null where the broker did not say: then the end of the partition is waited for. */
  readonly offset: string | bigint | null;
  /** Where it is no event of the view, there is nothing to wait for. */
  readonly eventType?: string;
}

export interface WaitForOptions {
  /** Default 5 s. */
  readonly timeoutMs?: number;
  /** Ends the wait with its reason. */
  readonly signal?: AbortSignal;
}

/** Which rows, in the order of their keys. */
export interface ListOptions {
  /** Only keys that begin so. */
  readonly prefix?: string;
  /** Only keys behind this one: the last of the page before. */
  readonly after?: string;
  /** Only values that have these properties, at their top and exactly so. */
  readonly where?: Readonly<Record<string, RowValue>>;
  /** Default 100, at most 1,000. */
  readonly limit?: number;
}

const WAIT_MS = 5_000;
const [PAGE, LARGEST_PAGE] = [100, 1_000];

/**
 * One view to read from, as `MaterialisedViews.of` gives it.
 *
 * What reads rows throws a ViewNotReadyError while the view has never been built, and what its store throws while
 * that is away.
 */
export class MaterialisedView<T> {
  /** @internal */
  constructor(
    readonly definition: ViewDefinition<T>,
    private readonly runner: ViewRunner,
    private readonly store: ViewStore,
    private readonly clock: Clock,
    private readonly newId: () => string,
  ) {}

  /** The row of a key; null where there is none. */
  async get(key: string): Promise<ViewRow<T> | null> {
    return (await this.getMany([key])).get(key) ?? null;
  }

  /** The rows of those of the keys that have one, as they were at one moment. */
  async getMany(keys: readonly string[]): Promise<ReadonlyMap<string, ViewRow<T>>> {
    const rows = this.#ready(await this.store.read(this.runner.generations.ref, keys));
    return new Map([...rows].map(([key, row]) => [key, this.#row(key, row)]));
  }

  /** One page of rows, in the order of the bytes of their keys. @throws RangeError for a limit out of range. */
  async list(options: ListOptions = {}): Promise<readonly ViewRow<T>[]> {
    const rows = this.#ready(await this.store.list(this.runner.generations.ref, queryOf(options)));
    return rows.map((row) => this.#row(row.key, row));
  }

  /** All rows, page by page: what changes meanwhile may be in it or not. `limit` is that of a page. */
  async *scan(options: ListOptions = {}): AsyncIterableIterator<ViewRow<T>> {
    const { limit } = queryOf(options);
    for (let { after } = options; ;) {
      const page = await this.list({ ...options, ...(after === undefined ? {} : { after }) });
      yield* page;
      const last = page.at(-1);
      if (last === undefined || page.length < limit) return;
      after = last.key;
    }
  }

  /**
   * Resolves when the view has all events up to these: `get` then shows one's own write.
   *
   * An event that is dead-lettered is waited for no longer than until it is; in topics that the view does not
   * read there is nothing to wait for.
   *
   * @throws ViewBehindError when that takes longer than `timeoutMs`; retryable.
   * @throws ShutdownError when the application stops first; whatever `signal` was aborted with.
   */
  async waitFor(
    targets: ViewTarget | readonly ViewTarget[],
    { timeoutMs = WAIT_MS, signal }: WaitForOptions = {},
  ): Promise<void> {
    throwIfAborted(signal);
    const ours = [targets].flat().filter((target) => this.#concerns(target));
    if (ours.length === 0) return;
    const { runner, clock, definition } = this;
    await untilReached(ours, { view: definition.name, runner, clock, timeoutMs, signal });
  }

  staleness(): ViewStaleness {
    const progress = this.runner.generations.live?.progress;
    const reachedAt = progress?.reachedAt ?? null;
    return {
      ageMs: reachedAt === null ? null : Math.max(0, this.clock.now() - reachedAt),
      recordsBehind: progress?.recordsBehind ?? null,
    };
  }

  /**
   * Builds the view anew from the beginning of the log, beside the one that is read and kept up meanwhile; resolves when
   * the new one has taken its place. Where one is being built already, that is waited for.
   *
   * It goes on without us: whoever keeps this view finishes it, after a restart, too.
   *
   * @throws ShutdownError when the application stops first; whatever `signal` was aborted with.
   */
  async rebuild({ signal }: { readonly signal?: AbortSignal } = {}): Promise<void> {
    throwIfAborted(signal);
    if (this.runner.stopped) throw new ShutdownError();
    const { runner } = this;
    const id = await this.store.begin(runner.generations.ref, this.newId());
    throwIfAborted(signal);
    let seen = false;
    const isOver = (): boolean => {
      seen ||= runner.generations.building?.id === id;
      return runner.generations.live?.id === id || (seen && runner.generations.building?.id !== id);
    };
    await runner.waits.until(isOver, false, (reject) => onAbort(signal, reject));
  }

  #concerns({ topic, eventType }: ViewTarget): boolean {
    if (!this.runner.generations.topics.includes(topic)) return false;
    const { on } = this.definition;
    return eventType === undefined || on.some(({ contract }) => contract.eventType === eventType);
  }

  #ready<R>(found: R | null): R {
    if (found !== null) return found;
    throw new ViewNotReadyError(this.definition.name, this.runner.whyNotReady);
  }

  #row(key: string, { json, version }: StoredRow): ViewRow<T> {
    // What its projections have answered, or a version before of them.
    const value = JSON.parse(json) as T;
    return { key, value, version, ageMs: this.staleness().ageMs };
  }
}

function queryOf({ prefix = '', after = '', where = {}, limit = PAGE }: ListOptions): RowQuery {
  if (!Number.isSafeInteger(limit) || limit < 1 || limit > LARGEST_PAGE) {
    throw new RangeError(
      `limit must be an integer from 1 to ${String(LARGEST_PAGE)}, not ${String(limit)}`,
    );
  }
  return { prefix, after, where, limit };
}
