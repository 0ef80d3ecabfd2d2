import 'reflect-metadata';

import type { EventSource } from '../contracts/event-source.js';
import { InvalidHandlerError } from '../kafka-events.errors.js';
import type { EventSources } from './handler-for.js';
import type {
  EventBatchHandlerOptions,
  EventHandlerOptions,
  HandlerKind,
} from './handler-options.js';

/**
 * Where a method keeps its handlers: Reflect metadata, as Nest's own, since decorators that wrap a
 * method copy that to the wrapper.
 */
const HANDLERS = Symbol.for('nestjs-kafka-events:handlers');

/** One `@EventHandler` or `@EventBatchHandler` of a method. */
export interface EventHandlerMetadata {
  readonly kind: HandlerKind;
  readonly sources: readonly EventSource[];
  readonly options: EventHandlerOptions | EventBatchHandlerOptions;
}

const DECORATORS = { record: '@EventHandler', batch: '@EventBatchHandler' };

/** What a decorator writes on methods. @throws InvalidHandlerError for no events, or on anything but a method. */
export function handlerMarker(
  kind: HandlerKind,
  sources: EventSources,
  options: EventHandlerMetadata['options'],
): (target: object, name: string | symbol, descriptor?: { readonly value?: unknown }) => void {
  const metadata = Object.freeze({ kind, sources: Object.freeze([sources].flat()), options });
  const decorator = DECORATORS[kind];
  return (target, name, descriptor) => {
    const method = descriptor?.value;
    const handler = `${target.constructor.name}.${String(name)}`;
    if (typeof method !== 'function') {
      throw new InvalidHandlerError([`${handler}: ${decorator} belongs on a method`]);
    }
    if (typeof name === 'symbol') {
      throw new InvalidHandlerError([`${handler}: ${decorator} needs a method with a text name`]);
    }
    if (metadata.sources.length === 0) {
      throw new InvalidHandlerError([`${handler}: ${decorator} names no event`]);
    }
    // Decorators run bottom-up; kept in the order they are written in.
    const handlers = Object.freeze([metadata, ...readEventHandlers(method)]);
    Reflect.defineMetadata(HANDLERS, handlers, method);
  };
}

/** The handlers a method is, in the order they are written; none for any other value. */
export function readEventHandlers(method: unknown): readonly EventHandlerMetadata[] {
  if (typeof method !== 'function') return [];
  const handlers = Reflect.getMetadata(HANDLERS, method) as
    readonly EventHandlerMetadata[] | undefined;
  return handlers ?? [];
}
