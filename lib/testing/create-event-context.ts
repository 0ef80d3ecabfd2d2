import { EventContext } from '../consuming/event-context.js';
import type { EventSource, PublishPayload } from '../contracts/event-source.js';
import { eventDeliveryOf, type EventContextOptions } from './event-delivery-of.js';

/**
 * What the engine hands to a handler beside the payload, for unit tests that call the handler
 * themselves:
 *
 *     const publisher = new FakeEventPublisher();
 *     await handlers.reserve(order, await createEventContext(OrderCreated, order, { publisher }));
 *
 * The event is encoded as `EventPublisher` does it, so headers and key are those of a real one; ids
 * of events that the handler publishes follow from it, as always.
 *
 * @throws InvalidEventError, EventTooLargeError as `EventPublisher.publish` does.
 */
export async function createEventContext<S extends EventSource>(
  source: S,
  payload: PublishPayload<S>,
  options: EventContextOptions = {},
): Promise<EventContext> {
  return new EventContext(await eventDeliveryOf(source, payload, options));
}
