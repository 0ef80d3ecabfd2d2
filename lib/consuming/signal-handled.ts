import type { SignalSink } from '../observability/observer.js';
import type { HandlerCourse } from './handler-course.js';

/** Tells that a handler is done with a record. */
export function signalHandled(signals: SignalSink, course: HandlerCourse): void {
  const { ref, attempts, durationMs } = course;
  // Written out: spreading costs more than all the rest of a completion.
  const { groupId, topic, partition, offset, handlerId, eventId, eventType } = ref;
  const attempt = attempts + 1;
  signals.emit('handled', {
    groupId,
    topic,
    partition,
    offset,
    handlerId,
    eventId,
    eventType,
    attempt,
    durationMs,
  });
}
