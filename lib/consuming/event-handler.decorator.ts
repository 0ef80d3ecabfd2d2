import type { EventSources, HandledPayload, HandlerFor } from './handler-for.js';
import { handlerMarker } from './handler-metadata.js';
import type { EventHandlerOptions } from './handler-options.js';

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
  const mark = handlerMarker('record', sources, options);
  return <M extends (...args: never[]) => unknown>(
    target: object,
    name: string | symbol,
    descriptor: TypedPropertyDescriptor<M> & HandlerFor<M, HandledPayload<S, Tombstones>>,
  ): void => {
    mark(target, name, descriptor);
  };
}
