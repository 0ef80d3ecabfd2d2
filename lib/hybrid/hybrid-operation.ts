import type { EventSource } from '../contracts/event-source.js';
import type { DefaultFallback, EventFallback, ReadFallback } from '../fallback/fallback.js';
import type { SyncMethod, SyncReply, SyncRequest, SyncService } from '../fallback/sync-service.js';

/** What may stand in for a service in one operation. Replies are cached where the service is declared. */
export type Otherwise<Request, Reply> =
  ReadFallback<Request, Reply> | DefaultFallback<Request, Reply> | EventFallback<Request>;

/** Asks a service; where it is not well, what stands in for it. Made by {@link syncFirst}. */
export interface SyncFirst<Request = never, Reply = unknown> {
  readonly kind: 'sync-first';
  readonly name: string;
  readonly service: SyncService<object>;
  readonly method: string;
  readonly otherwise: readonly Otherwise<Request, Reply>[];
  /** Types only; never present at run time. */
  readonly '~types'?: (request: Request) => Reply;
}

/** How far the order of a key's events reaches: see `order` of {@link AsyncFirstOptions}. */
export type HybridOrder = 'none' | 'process' | 'outbox';

/** Where an event is handed to at once when it could not be published. */
export interface DirectOptions {
  /** A name of the module's `hybrid.directTo`. */
  readonly to: string;
  /** Default: the target's own. */
  readonly deadlineMs?: number;
}

export interface AsyncFirstOptions<S extends EventSource> {
  readonly event: S;
  /** How long the broker is waited for, before the outbox takes the event. Default 500 ms. */
  readonly deadlineMs?: number;
  /** Default: not at all. */
  readonly direct?: DirectOptions;
  /**
   * - `'process'`: events of a key go one after another, as this process runs them, and behind those of it that
   *   are in the outbox. Default.
   * - `'outbox'`: the outbox is asked before each, so that an event goes behind what other processes had put there
   *   before it was run.
   * - `'none'`: nothing waits for anything.
   */
  readonly order?: HybridOrder;
  /** For observers. Default: the event's type. */
  readonly name?: string;
}

/** Publishes an event; while the broker is away, the outbox takes it. Made by {@link asyncFirst}. */
export interface AsyncFirst<S extends EventSource = EventSource> {
  readonly kind: 'async-first';
  readonly name: string | null;
  readonly event: S;
  readonly deadlineMs: number;
  readonly direct: DirectOptions | null;
  readonly order: HybridOrder;
}

/** Reads what is kept elsewhere, and never asks anybody else. Made by {@link fromView}. */
export interface ViewRead<Request = never, Reply = unknown> {
  readonly kind: 'view-read';
  readonly name: string;
  readonly read: ReadFallback<Request, Reply>['read'];
}

const DEFAULT_PUBLISH_MS = 500;

/**
 * Asks a service now; where it is late, failing or not called at all, what stands in for it, in order:
 *
 *     const checkStock = syncFirst(Inventory, 'getStock', {
 *       otherwise: [readFrom(…), defaultReply(…), acceptAs(…)],
 *     });
 */
export function syncFirst<Api extends object, M extends SyncMethod<Api>>(
  // On its own, as the method is: the requests of what stands in are known by them.
  service: SyncService<Api>,
  method: M,
  options: {
    /** After those that the service itself declares for the method. */
    readonly otherwise: readonly Otherwise<SyncRequest<Api, M>, SyncReply<Api, M>>[];
    /** For observers. Default: service and method. */
    readonly name?: string;
  },
): SyncFirst<SyncRequest<Api, M>, SyncReply<Api, M>> {
  const { otherwise, name = `${service.name}.${method}` } = options;
  return { kind: 'sync-first', name, service: { name: service.name }, method, otherwise };
}

/** Publishes an event, and does not lose it while the broker is away: see {@link AsyncFirst}. */
export function asyncFirst<S extends EventSource>({
  event,
  deadlineMs = DEFAULT_PUBLISH_MS,
  direct,
  order = 'process',
  name,
}: AsyncFirstOptions<S>): AsyncFirst<S> {
  return {
    kind: 'async-first',
    name: name ?? null,
    event,
    deadlineMs,
    direct: direct ?? null,
    order,
  };
}

/** Reads a materialised view; its age is in the result. */
export function fromView<Request, Reply>(
  name: string,
  read: ReadFallback<Request, Reply>['read'],
): ViewRead<Request, Reply> {
  return { kind: 'view-read', name, read };
}

/** A command that is written as an event, and the query that reads what has come of it: one from the other apart. */
export function cqrs<R extends ViewRead | SyncFirst, W extends AsyncFirst>(sides: {
  readonly read: R;
  readonly write: W;
}): { readonly read: R; readonly write: W } {
  return { ...sides };
}
