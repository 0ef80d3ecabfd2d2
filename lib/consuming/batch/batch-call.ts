import { isPromise, type MaybePromise } from '../../contracts/maybe-promise.js';
import { toError } from '../../kafka-events.errors.js';
import type { CallControl } from '../event-handler.js';
import type { HandlerCourse } from '../handler-course.js';
import { SUCCEEDED, TimedCall, type CallEnding, type TimedSurroundings } from '../timed-call.js';
import type { EventBatch } from './event-batch.js';

/** Records of a batch are claimed before the call: there is nothing to ask for in it. */
const CLAIMED: CallControl = { claim: () => true };

/** One call of a handler with a batch, within its time, as a `HandlerCall` is with a record. */
export class BatchCall extends TimedCall<EventBatch, TimedSurroundings> {
  #resolve: (ending: CallEnding) => void = () => undefined;

  constructor(
    /** The first one: it stands for the batch where signals name a record. */
    course: HandlerCourse,
    private readonly courses: readonly HandlerCourse[],
    context: EventBatch,
    around: TimedSurroundings,
  ) {
    super(course, context, around);
  }

  concerns(offset: bigint): boolean {
    return this.courses.some(({ delivery }) => delivery.record.record.offset === offset);
  }

  /** Calls the handler; afterwards it decides nothing more. Never rejects. */
  run(): Promise<CallEnding> {
    return new Promise((resolve) => {
      this.#resolve = resolve;
      let returned: MaybePromise<unknown>;
      try {
        returned = this.course.runtime.handler.invoke(this.context, this.context, CLAIMED);
      } catch (error) {
        this.end({ kind: 'failed', error: toError(error) });
        return;
      }
      if (isPromise(returned)) this.waitFor(returned, this.around.clock.now());
      else this.end(SUCCEEDED);
    });
  }

  protected end(ending: CallEnding): void {
    this.context.end();
    this.#resolve(ending);
  }
}
