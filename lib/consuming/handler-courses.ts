import { ClaimKeys } from '../idempotency/claim-keys.js';
import type { Delivery } from './delivery.js';
import { HandlerCourse } from './handler-course.js';
import type { HandlerRuntime } from './handler-runtime.js';
import { SharedEnding, type RecordEnding } from './record-ending.js';

/** Opens the courses of one group's handlers over its records. */
export class HandlerCourses {
  readonly #keys: ClaimKeys;

  constructor(private readonly groupId: string) {
    this.#keys = new ClaimKeys(groupId);
  }

  /** Tells `begin` the course of each handler; when all have ended, `ending` is told of the record. */
  open(delivery: Delivery, ending: RecordEnding, begin: (course: HandlerCourse) => void): void {
    const { handlers } = delivery;
    const shared = handlers.length === 1 ? ending : new SharedEnding(handlers.length, ending);
    for (const handler of handlers) begin(this.courseOf(delivery, handler, shared));
  }

  /** One handler's course by itself; `ending` is told of its own end. */
  courseOf(delivery: Delivery, runtime: HandlerRuntime, ending: RecordEnding): HandlerCourse {
    const { groupId } = this;
    const eventType = eventTypeFor(delivery, runtime);
    const key = this.#keys.keyOf(delivery.envelope, eventType, runtime.handler.settings);
    return new HandlerCourse({ groupId, delivery, runtime, eventType, key, ending });
  }
}

/** A handler of a whole topic goes by what the record says, whoever else declares the event. */
function eventTypeFor({ route, envelope }: Delivery, { handler }: HandlerRuntime): string {
  const { contract } = route;
  return contract === null || handler.wholeTopic !== undefined
    ? envelope.eventType
    : contract.eventType;
}
