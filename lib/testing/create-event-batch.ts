import { EventBatch } from '../consuming/batch/event-batch.js';
import type { EventDelivery } from '../consuming/consumed-event.js';
import { readPayload } from '../consuming/read-payload.js';
import {
  contractOf,
  type EventPayload,
  type EventSource,
  type PublishPayload,
} from '../contracts/event-source.js';
import { eventDeliveryOf, type EventContextOptions } from './event-delivery-of.js';
import { FakeEventPublisher } from './fake-event-publisher.js';

/** Of all events of the batch; their offsets count up from `offset`. */
export type EventBatchOptions = Omit<EventContextOptions, 'eventId' | 'key'>;

/**
 * What the engine hands to an `@EventBatchHandler`, for unit tests that call it themselves:
 *
 *     const batch = await createEventBatch(TelemetryReading, readings);
 *     await telemetry.ingest(batch);
 *     expect(batch.decisionOn(0)).toEqual({ kind: 'dead-letter', reason: 'colder than cold' });
 *
 * Payloads are encoded as `EventPublisher` does it and read as the engine does.
 *
 * @throws InvalidEventError, EventTooLargeError as `EventPublisher.publish` does.
 */
export async function createEventBatch<S extends EventSource>(
  source: S,
  payloads: readonly PublishPayload<S>[],
  options: EventBatchOptions = {},
): Promise<EventBatch<EventPayload<S>>> {
  const { offset = 0, publisher = new FakeEventPublisher(), partition = 0, ...rest } = options;
  const { handlerId = 'Handler.handle' } = rest;
  const contract = contractOf(source);
  const deliveries = await Promise.all(
    payloads.map((payload, i) =>
      eventDeliveryOf(source, payload, {
        ...rest,
        partition,
        publisher,
        offset: BigInt(offset) + BigInt(i),
      }),
    ),
  );
  const records = deliveries.map(({ envelope }) => envelope.record);
  // What a contract accepts is what its event declares.
  const read = (await Promise.all(
    records.map((record) => readPayload(contract, record)),
  )) as EventPayload<S>[];
  const deliveryOf = (index: number): EventDelivery => {
    const delivery = deliveries[index];
    if (delivery === undefined) throw new RangeError(`no event ${String(index)}`);
    return delivery;
  };
  const { topic } = contract;
  return new EventBatch({ topic, partition, handlerId, records, payloads: read, deliveryOf });
}
