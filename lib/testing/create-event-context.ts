import { randomUUID } from 'node:crypto';

import { EventContext } from '../consuming/event-context.js';
import { systemClock } from '../contracts/clock.js';
import { EventEnvelope } from '../contracts/event-envelope.js';
import { contractOf, type EventSource, type PublishPayload } from '../contracts/event-source.js';
import { ClaimKeys } from '../idempotency/claim-keys.js';
import { DEFAULTS } from '../options/defaults.js';
import { EventEncoder } from '../publishing/event-encoder.js';
import type { EventSink, PublishOptions } from '../publishing/publish-options.js';
import { FakeEventPublisher } from './fake-event-publisher.js';
import { inRecordOf } from './in-record-of.js';

export interface EventContextOptions extends Omit<PublishOptions, 'deadlineMs'> {
  /** Which attempt this is. Default 1, the first. */
  readonly attempt?: number;
  /** Default 0. */
  readonly partition?: number;
  /** Default 0. */
  readonly offset?: bigint | number;
  /** Default `Handler.handle`. */
  readonly handlerId?: string;
  /** Where `publish` of the context goes. Default: a `FakeEventPublisher` of its own. */
  readonly publisher?: EventSink;
}

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
  const {
    attempt = 1,
    partition = 0,
    offset = 0,
    handlerId = 'Handler.handle',
    publisher = new FakeEventPublisher(),
    ...ofPublish
  } = options;
  const contract = contractOf(source);
  const encoder = new EventEncoder({
    topicName: DEFAULTS.topicName,
    maxRecordBytes: DEFAULTS.producer.maxRecordBytes,
    defaultDeadlineMs: DEFAULTS.producer.deadlineMs,
    clock: systemClock,
    newEventId: randomUUID,
  });
  const identity = encoder.identify(contract, ofPublish);
  const { record } = await encoder.encode(identity, contract, payload, ofPublish);
  const at = { topic: identity.topic, partition };
  const envelope = new EventEnvelope(at, inRecordOf(record, BigInt(offset)));
  const scope = { claimedAs: handlerId, idempotency: null };
  const key = new ClaimKeys('test').keyOf(envelope, contract.eventType, scope);
  return new EventContext({ envelope, handlerId, key, attempt, sink: publisher });
}
