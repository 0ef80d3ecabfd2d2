import { EventEnvelope } from '../contracts/event-envelope.js';
import { fromRetryTopic, type ParkedRecord } from '../failure/parked-record.js';
import { toError, UndecodableRecordError, UnroutableRecordError } from '../kafka-events.errors.js';
import type { SignalSink } from '../observability/observer.js';
import type { ConsumedRecord } from './consumed-record.js';
import { recordRef } from './delivery.js';
import type { TopicRoutes } from './event-router.js';
import type { Opened } from './record-pipeline.js';

/** Of one retry topic of one group. */
export interface ParkingPlace {
  readonly groupId: string;
  /** The physical topic whose records are parked in it. */
  readonly source: string;
  /** Of that topic. */
  readonly routes: TopicRoutes;
}

/**
 * Opens a record of a retry topic: it goes to the handler that gave it up, and to no other, as the
 * record that it was in its own topic.
 *
 * What we have not written there is dead-lettered as it stands; what another group has, which shares
 * the topic by mistake, is left to that.
 */
export function openParked(
  record: ConsumedRecord,
  { groupId, source, routes }: ParkingPlace,
  signals: SignalSink,
): Opened {
  let parked: ParkedRecord;
  try {
    parked = fromRetryTopic(record.record);
    if (parked.origin.topic !== source) {
      throw new UndecodableRecordError(`it says that it is from "${parked.origin.topic}"`);
    }
  } catch (thrown) {
    const why = `this is a retry topic of "${source}", and the record is not ours: `;
    const error = new UndecodableRecordError(why + toError(thrown).message);
    return { kind: 'dead-letter', reason: 'undecodable', error, parked: null };
  }
  const envelope = new EventEnvelope(parked.origin, parked.record);
  if (parked.groupId !== groupId) {
    signals.emit('notOurs', { ...recordRef(groupId, record), eventType: envelope.eventType });
    return { kind: 'settle', outcome: 'not-ours' };
  }
  const routing = routes.routingOf(envelope);
  const { handlerId } = parked;
  const handler =
    routing.kind === 'ours'
      ? routing.route.handlers.find((each) => each.answersTo(handlerId))
      : undefined;
  if (routing.kind !== 'ours' || handler === undefined) {
    const error = new UnroutableRecordError(
      `${handlerId} gave it up for later, and is no handler of this event any more; ` +
        'if it has another id now, name this one in its aliases',
    );
    return { kind: 'dead-letter', reason: 'unknown-handler', error, parked };
  }
  return { kind: 'deliver', record, envelope, parked, route: routing.route, handlers: [handler] };
}
