import 'reflect-metadata';

import type { EventSource } from '../contracts/event-source.js';
import { InvalidHandlerError } from '../kafka-events.errors.js';
import type { EventSources, HandledPayload, HandlerFor } from './handler-for.js';
import type { EventHandlerOptions } from './handler-options.js';

/**
 * Where a method keeps its handlers: Reflect metadata, as Nest's own, since decorators that wrap a
 * method copy that to the wrapper.
 */
const HANDLERS = Symbol.for('nestjs-kafka-events:handlers');

/** One `@EventHandler` of a method. */
export interface EventHandlerMetadata {
  readonly sources: readonly EventSource[];
  readonly options: EventHandlerOptions;
}

/**
 * Handles an event with a method of any provider or controller; with several events, the method is
 * given the payload of whichever came.
 *
 * A method that can take the payload in no parameter does not compile. With `tombstones: true` the
 * payload may be null, and the parameter must allow it. May be repeated on one method, each with an
 * `id` of its own. Overriding a handler in a subclass without the decorator unsubscribes it there.
 * Keep it above decorators that replace the method.
 *
 * @throws InvalidHandlerError for no events, or on anything but a method.
 * @example
 * @EventHandler(OrderCreated, { concurrency: 16 })
 * async reserve(@Payload() order: OrderCreated, @Ctx() event: EventContext) {}
 */
export function EventHandler<const S extends EventSources, Tombstones extends boolean = false>(
  sources: S,
  options: EventHandlerOptions & { readonly tombstones?: Tombstones } = {},
) {
  const metadata = Object.freeze({ sources: Object.freeze([sources].flat()), options });
  return <M extends (...args: never[]) => unknown>(
    target: object,
    name: string | symbol,
    descriptor: TypedPropertyDescriptor<M> & HandlerFor<M, HandledPayload<S, Tombstones>>,
  ): void => {
    const method = (descriptor as TypedPropertyDescriptor<unknown> | undefined)?.value;
    const handler = `${target.constructor.name}.${String(name)}`;
    if (typeof method !== 'function') {
      throw new InvalidHandlerError([`${handler}: @EventHandler belongs on a method`]);
    }
    if (typeof name === 'symbol') {
      throw new InvalidHandlerError([`${handler}: @EventHandler needs a method with a text name`]);
    }
    if (metadata.sources.length === 0) {
      throw new InvalidHandlerError([`${handler}: @EventHandler names no event`]);
    }
    // Decorators run bottom-up; kept in the order they are written in.
    const handlers = Object.freeze([metadata, ...readEventHandlers(method)]);
    Reflect.defineMetadata(HANDLERS, handlers, method);
  };
}

/** The `@EventHandler`s of a method in the order they are written; none for any other value. */
export function readEventHandlers(method: unknown): readonly EventHandlerMetadata[] {
  if (typeof method !== 'function') return [];
  const handlers = Reflect.getMetadata(HANDLERS, method) as
    readonly EventHandlerMetadata[] | undefined;
  return handlers ?? [];
}
