import { deterministicEventId } from '../contracts/deterministic-id.js';
import { NonRetryableEventError, PublishError, toError } from '../kafka-events.errors.js';
import type { EventSink, PublishReceipt } from '../publishing/publish-options.js';
import type { LegacyFeed } from './legacy-feed.js';

/**
 * Publishes the event that a change is, under an id that follows from the feed's name and the change's;
 * null where it is none.
 *
 * @throws NonRetryableEventError where it can be no event, whose `cause` says why; PublishError where it was not
 * published.
 */
export async function publishChange(
  feed: LegacyFeed,
  change: unknown,
  sink: EventSink,
): Promise<PublishReceipt | null> {
  const made = eventOf(feed, change);
  if (made === null) return null;
  const { eventId, event } = made;
  try {
    return await sink.publish(event.source, event.payload, { ...event.options, eventId });
  } catch (thrown) {
    const error = toError(thrown);
    if (error instanceof PublishError && isOfTheChange(error)) throw invalid(feed, eventId, error);
    throw error;
  }
}

function eventOf(feed: LegacyFeed, change: unknown) {
  try {
    const event = feed.toEvent(change);
    if (event === null) return null;
    return { event, eventId: deterministicEventId(['legacy-feed', feed.name, feed.id(change)]) };
  } catch (thrown) {
    throw invalid(feed, 'none yet', toError(thrown));
  }
}

/** Neither waiting nor another broker would make an event of it. */
function isOfTheChange({ code }: PublishError): boolean {
  return code === 'INVALID_EVENT' || code === 'EVENT_TOO_LARGE';
}

function invalid({ name }: LegacyFeed, eventId: string, cause: Error): NonRetryableEventError {
  const message = `a change of feed "${name}" is no event (event id ${eventId}): ${cause.message}`;
  return new NonRetryableEventError(message, { cause });
}
