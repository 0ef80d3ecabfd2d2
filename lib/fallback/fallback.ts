import type { EventSource, PublishPayload } from '../contracts/event-source.js';
import type { MaybePromise } from '../contracts/maybe-promise.js';
import type { PublishOptions } from '../publishing/publish-options.js';

/** The last good reply to the same request, if it is not too old. */
export interface CacheFallback<Request = never> {
  readonly kind: 'cache';
  /** Older replies are not given. */
  readonly maxAgeMs: number;
  /** Replies kept in this process; the one unused for longest goes first. Default 1,000. */
  readonly maxEntries?: number;
  /** Requests with the same key have the same reply. Default: the request as JSON. */
  readonly key?: (request: Request) => string;
}

/** What a read model knew, and how old that is. */
export interface ReadValue<Reply> {
  readonly value: Reply;
  readonly ageMs: number;
}

/** Finds a provider of the application by its class or token. @throws where there is none. */
export type LookUp = <T>(token: (abstract new (...args: never[]) => T) | string | symbol) => T;

/** What a fallback may use beside the request. */
export interface FallbackContext {
  /** Aborted when the time of the call is up, or its caller gives up. */
  readonly signal: AbortSignal;
  /** Milliseconds since the Unix epoch. */
  readonly deadline: number;
  /** A provider of the application, wherever it is provided. */
  readonly get: LookUp;
}

/** A value kept elsewhere: a materialised view, a table. */
export interface ReadFallback<Request = never, Reply = unknown> {
  readonly kind: 'view';
  /** Null: it is not known here, the next fallback is tried. */
  readonly read: (
    request: Request,
    context: FallbackContext,
  ) => MaybePromise<ReadValue<Reply> | null>;
}

/** The same reply whenever the service has none. */
export interface DefaultFallback<Request = never, Reply = unknown> {
  readonly kind: 'default';
  readonly reply: (request: Request) => Reply;
}

/** A command accepted as an event, to be carried out when the service is back. */
export interface EventFallback<Request = never> {
  readonly kind: 'event';
  readonly event: EventSource;
  readonly payload: (request: Request) => unknown;
  readonly options?: (request: Request) => PublishOptions;
}

/** What stands in for a service that does not answer. Business refusals are answers. */
export type Fallback<Request = never, Reply = unknown> =
  | CacheFallback<Request>
  | ReadFallback<Request, Reply>
  | DefaultFallback<Request, Reply>
  | EventFallback<Request>;

/**
 * The last good reply to the same request, with its age. It is the object that the service's caller got:
 * nobody may change it.
 */
export function cachedReply<Request>(
  options: Omit<CacheFallback<Request>, 'kind'>,
): CacheFallback<Request> {
  return { ...options, kind: 'cache' };
}

/** A value kept elsewhere, with its age: `readFrom((request, { get }) => …)`. */
export function readFrom<Request, Reply>(
  read: ReadFallback<Request, Reply>['read'],
): ReadFallback<Request, Reply> {
  return { kind: 'view', read };
}

/** A reply made without asking anybody: `defaultReply(() => ({ available: 0 }))`. */
export function defaultReply<Request, Reply>(
  reply: (request: Request) => Reply,
): DefaultFallback<Request, Reply> {
  return { kind: 'default', reply };
}

/**
 * Accepts a command as an event, which the broker keeps or, while that is away, the module's outbox. A
 * service that was too late may have carried it out already: give both an id that tells (`eventId`, and a
 * field of the request), so that it is carried out once.
 */
export function acceptAs<S extends EventSource, Request>(
  event: S,
  payload: (request: Request) => PublishPayload<S>,
  options?: (request: Request) => PublishOptions,
): EventFallback<Request> {
  return { kind: 'event', event, payload, ...(options && { options }) };
}
