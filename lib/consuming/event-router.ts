import type { EventContract } from '../contracts/event-contract.js';
import type { EventEnvelope } from '../contracts/event-envelope.js';
import { toError } from '../kafka-events.errors.js';
import type { HandlerRuntime } from './handler-runtime.js';

/** One event type of one topic, with the handlers of one group that take it. */
export interface Route {
  readonly contract: EventContract;
  readonly handlers: readonly HandlerRuntime[];
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
  readonly #byEventType = new Map<string, Routing & { kind: 'ours' }>();
  readonly #types = new Set<string>();

  constructor(routes: readonly Route[]) {
    for (const route of routes) {
      this.#byEventType.set(route.contract.eventType, { kind: 'ours', route });
      this.#types.add(route.contract.type);
    }
  }

  get routes(): readonly Route[] {
    return [...this.#byEventType.values()].map(({ route }) => route);
  }

  /** Routes by the `event-type` header, or by the definitions where there is none. */
  routingOf(envelope: EventEnvelope): Routing {
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
