import type { EventContract } from '../contracts/event-contract.js';
import type { EventEnvelope } from '../contracts/event-envelope.js';
import { toError } from '../kafka-events.errors.js';
import type { HandlerRuntime } from './handler-runtime.js';

/**
 * One event type of one topic, with the handlers of one group that take it, those of the whole topic
 * included.
 */
export interface Route {
  /** Null for what is left to the handlers of the whole topic. */
  readonly contract: EventContract | null;
  readonly handlers: readonly HandlerRuntime[];
}

/** A route of an event that somebody declared. */
export interface EventRoute extends Route {
  readonly contract: EventContract;
}

/** Where a record goes. */
export type Routing =
  | { readonly kind: 'ours'; readonly route: Route }
  | { readonly kind: 'not-ours' }
  /** The version, or the type itself, cannot be told; `why` says so to people. */
  | { readonly kind: 'unknown-version' | 'no-event-type'; readonly why: string };

const NOT_OURS: Routing = { kind: 'not-ours' };

/** The routes of one physical topic in one consumer group. */
export class TopicRoutes {
  readonly #byEventType = new Map<string, { readonly kind: 'ours'; readonly route: EventRoute }>();
  readonly #types = new Set<string>();
  /** Where everything goes that no event handler takes; null where nobody takes the whole topic. */
  readonly #rest: { readonly kind: 'ours'; readonly route: Route } | null;

  constructor(routes: readonly EventRoute[], wholeTopic: readonly HandlerRuntime[] = []) {
    for (const { contract, handlers } of routes) {
      const route = { contract, handlers: [...handlers, ...wholeTopic] };
      this.#byEventType.set(contract.eventType, { kind: 'ours', route });
      this.#types.add(contract.type);
    }
    this.#rest =
      wholeTopic.length === 0
        ? null
        : { kind: 'ours', route: { contract: null, handlers: wholeTopic } };
  }

  get routes(): readonly Route[] {
    const routes: Route[] = [...this.#byEventType.values()].map(({ route }) => route);
    return this.#rest === null ? routes : [...routes, this.#rest.route];
  }

  /** Routes by the `event-type` header, or by the definitions where there is none. */
  routingOf(envelope: EventEnvelope): Routing {
    const routing = this.#byEvent(envelope);
    return routing.kind === 'ours' ? routing : (this.#rest ?? routing);
  }

  #byEvent(envelope: EventEnvelope): Routing {
    if (envelope.eventType === '') return this.#withoutType(envelope);
    const routing = this.#byEventType.get(envelope.eventType);
    if (routing !== undefined) return routing;
    return this.#types.has(withoutVersion(envelope.eventType))
      ? { kind: 'unknown-version', why: `no handler takes ${envelope.eventType}; ${this.#known()}` }
      : NOT_OURS;
  }

  #withoutType(envelope: EventEnvelope): Routing {
    const all = [...this.#byEventType.values()];
    try {
      const matching = all.find(({ route }) => route.contract.match?.(envelope.record) === true);
      if (matching !== undefined) return matching;
    } catch (error) {
      return {
        kind: 'no-event-type',
        why: `a definition's match threw: ${toError(error).message}`,
      };
    }
    const [only, second] = all;
    if (only !== undefined && second === undefined) return only;
    return { kind: 'no-event-type', why: `the record has no event type; ${this.#known()}` };
  }

  #known(): string {
    return `known here: ${[...this.#byEventType.keys()].join(', ')}`;
  }
}

/** `order.created.v2` without its `.v2`. */
function withoutVersion(eventType: string): string {
  return eventType.replace(/\.v\d+$/, '');
}
