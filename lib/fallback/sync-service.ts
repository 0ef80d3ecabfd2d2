import type { Observable } from 'rxjs';

import type { BreakerOptions, BreakerPolicy } from './circuit-breaker.js';
import type { BulkheadOptions, BulkheadPolicy } from './bulkhead.js';
import type { SyncStatus } from '../kafka-events.errors.js';
import type { RetryPace } from '../failure/retry-policy.js';
import type { Fallback } from './fallback.js';
import type { CachePolicy } from './reply-cache.js';
import type { SyncTransport } from './sync-transport.js';

/** Methods of an API: what takes a request and answers a reply, its promise, or an Observable of one. */
export type SyncMethod<Api> = {
  [M in keyof Api & string]: Api[M] extends (request: never) => unknown ? M : never;
}[keyof Api & string];

export type SyncRequest<Api, M extends keyof Api> = Api[M] extends (request: infer R) => unknown
  ? R
  : never;

export type SyncReply<Api, M extends keyof Api> = Api[M] extends (request: never) => infer R
  ? R extends Observable<infer T>
    ? T
    : Awaited<R>
  : never;

/** Another service, by its name and the type of its API; made by {@link defineSyncService}. */
export interface SyncService<Api extends object> {
  readonly name: string;
  /** Types only; never present at run time. */
  readonly '~api'?: Api;
}

/** How a failed call is repeated; only methods that are declared `idempotent` are. */
export interface SyncRetryOptions {
  /** Attempts in all, the first one included. Default 3. */
  readonly attempts?: number;
  /** The longest wait before the second attempt; the wait is anything up to that, at random. Default 50 ms. */
  readonly initialDelayMs?: number;
  /** Default 2. */
  readonly factor?: number;
  /** Default 1 s. */
  readonly maxDelayMs?: number;
  /** Statuses that are repeated. Default `['UNAVAILABLE']`. */
  readonly statuses?: readonly SyncStatus[];
  /** Retries that each call adds to what may be spent on them, so that an outage is not amplified. Default 0.2. */
  readonly budget?: number;
}

/** One method of a service. */
export interface SyncMethodOptions<Request = never, Reply = unknown> {
  /** True: the same request twice does no harm, so that it may be repeated. Default false. */
  readonly idempotent?: boolean;
  /** Default: the service's. */
  readonly deadlineMs?: number;
  /** What stands in for the service, in the order in which it is tried. Default: nothing. */
  readonly fallback?: readonly Fallback<Request, Reply>[];
}

/** How a service is called. */
export interface SyncServiceOptions<Api extends object> {
  readonly transport: SyncTransport;
  /** How long a call may take in all: waiting, attempts and fallback. Default 1 s. */
  readonly deadlineMs?: number;
  readonly breaker?: BreakerOptions;
  readonly bulkhead?: BulkheadOptions;
  readonly retry?: SyncRetryOptions;
  /**
   * Statuses that say that the service is not well: they count for the breaker, and lead to the fallback.
   * All others are answers. Default: `UNAVAILABLE`, `DEADLINE_EXCEEDED`, `RESOURCE_EXHAUSTED`, `INTERNAL`,
   * `UNKNOWN`, `DATA_LOSS`.
   */
  readonly failureStatuses?: readonly SyncStatus[];
  /**
   * A call that was given less time than this and did not come back in it does not count for the
   * breaker: its caller was in a hurry. Default 50 ms.
   */
  readonly hurryMs?: number;
  readonly methods?: {
    readonly [M in SyncMethod<Api>]?: SyncMethodOptions<SyncRequest<Api, M>, SyncReply<Api, M>>;
  };
}

/** A service with how it is called, for `sync.services` of the module; made by {@link syncService}. */
export interface SyncRegistration extends SyncServiceOptions<Record<string, never>> {
  readonly service: SyncService<object>;
}

export type SyncRetryPolicy = Omit<RetryPace, 'jitter'> & {
  readonly statuses: ReadonlySet<SyncStatus>;
  readonly budget: number;
};

export interface SyncMethodSettings {
  readonly idempotent: boolean;
  readonly deadlineMs: number;
  readonly fallbacks: readonly (Exclude<Fallback, { readonly kind: 'cache' }> | CachePolicy)[];
}

/** A service's options, checked and complete. */
export interface SyncServiceSettings {
  readonly name: string;
  readonly transport: SyncTransport;
  readonly breaker: BreakerPolicy;
  readonly bulkhead: BulkheadPolicy;
  readonly retry: SyncRetryPolicy;
  readonly failureStatuses: ReadonlySet<SyncStatus>;
  readonly hurryMs: number;
  /** Of methods that the options name. */
  readonly methods: ReadonlyMap<string, SyncMethodSettings>;
  /** Of all others. */
  readonly unnamed: SyncMethodSettings;
  /** Where the options stand, for messages: `sync.services[0]`. */
  readonly path: string;
}

/** Names another service and the type of its API: `defineSyncService<InventoryApi>({ name: 'inventory' })`. */
export function defineSyncService<Api extends object>(definition: {
  readonly name: string;
}): SyncService<Api> {
  return { name: definition.name };
}

/** Says how a service is called: its transport, its limits, its fallbacks; checked at boot. */
export function syncService<Api extends object>(
  service: SyncService<Api>,
  options: SyncServiceOptions<Api>,
): SyncRegistration {
  // What the options were typed for is looked up by the method's name from here on.
  return { ...(options as SyncServiceOptions<Record<string, never>>), service };
}
