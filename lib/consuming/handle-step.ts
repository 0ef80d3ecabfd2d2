import type { Clock } from '../contracts/clock.js';
import { isPromise, type MaybePromise } from '../contracts/maybe-promise.js';
import type { SignalSink } from '../observability/observer.js';
import type { EventSink } from '../publishing/publish-options.js';
import { EventContext } from './event-context.js';
import { attemptHandler, type AttemptResult } from './handler-attempt.js';
import type { HandlerCourse } from './handler-course.js';
import { readPayload } from './read-payload.js';
import type { RunningHandlers } from './running-handlers.js';
import type { Semaphore } from './semaphore.js';

/** An attempt with the context it ran in. */
export interface Attempt {
  readonly context: EventContext;
  readonly result: AttemptResult;
}

/** Runs a handler once: takes its slot, reads the payload, calls it, waits within its time. */
export class HandleStep {
  constructor(
    /** Handlers of the group running at once; null: no limit beyond their own. */
    private readonly groupSlots: Semaphore | null,
    private readonly running: RunningHandlers,
    private readonly sink: EventSink,
    private readonly signals: SignalSink,
    private readonly clock: Clock,
  ) {}

  /** Null when the partition stopped before there was a slot. */
  run(course: HandlerCourse): MaybePromise<Attempt | null> {
    if (this.#tryTakeSlots(course)) return this.#runWithSlots(course);
    return this.#takeSlots(course).then((taken) => (taken ? this.#runWithSlots(course) : null));
  }

  #runWithSlots(course: HandlerCourse): MaybePromise<Attempt> {
    const startedAt = this.clock.now();
    const { envelope } = course.delivery;
    const { handlerId } = course.ref;
    const attempt = course.attempts + 1;
    const { key } = course;
    const context = new EventContext({ envelope, handlerId, key, attempt, sink: this.sink });
    const ended = (result: AttemptResult): Attempt => {
      course.durationMs = this.clock.now() - startedAt;
      this.#freeSlotsAfter(course, result);
      return { context, result };
    };
    const calling = this.#call(course, context);
    return isPromise(calling) ? calling.then(ended) : ended(calling);
  }

  #call(course: HandlerCourse, context: EventContext): MaybePromise<AttemptResult> {
    const { runtime, partition, delivery } = course;
    const { handler } = runtime;
    const { running, clock } = this;
    course.payload = undefined;
    const read = (): MaybePromise<unknown> => {
      const reading = readPayload(delivery.route.contract, delivery.record.record);
      if (isPromise(reading)) return reading.then((payload) => (course.payload = payload));
      course.payload = reading;
      return reading;
    };
    const onTimeout = (): void => {
      this.signals.emit('handlerTimedOut', {
        ...course.ref,
        timeoutMs: handler.settings.timeoutMs,
      });
    };
    return attemptHandler(handler, read, context, { partition, running, clock, onTimeout });
  }

  #tryTakeSlots({ runtime }: HandlerCourse): boolean {
    if (this.groupSlots === null) return runtime.slots.tryAcquire();
    if (!this.groupSlots.available || !runtime.slots.tryAcquire()) return false;
    return this.groupSlots.tryAcquire();
  }

  async #takeSlots({ runtime, partition }: HandlerCourse): Promise<boolean> {
    if (!(await runtime.slots.acquire(partition))) return false;
    if (this.groupSlots === null || (await this.groupSlots.acquire(partition))) return true;
    runtime.slots.release();
    return false;
  }

  /** A handler that does not come back keeps its slots: it still uses what they stand for. */
  #freeSlotsAfter({ runtime, ref }: HandlerCourse, result: AttemptResult): void {
    const free = (): void => {
      runtime.slots.release();
      this.groupSlots?.release();
    };
    if (result.kind !== 'overdue') {
      free();
      return;
    }
    this.signals.emit('slotLeaked', ref);
    void result.later.then(free);
  }
}
