import type { Clock } from '../contracts/clock.js';
import { isPromise } from '../contracts/maybe-promise.js';
import { toError } from '../kafka-events.errors.js';
import type { SignalSink } from '../observability/observer.js';
import type { EventSink } from '../publishing/publish-options.js';
import { EventContext } from './event-context.js';
import { attemptHandler, type AttemptResult } from './handler-attempt.js';
import type { HandlerCourse } from './handler-course.js';
import { readPayload } from './read-payload.js';
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
    private readonly sink: EventSink,
    private readonly signals: SignalSink,
    private readonly clock: Clock,
  ) {}

  /** Null when the partition stopped before there was a slot. */
  async run(course: HandlerCourse): Promise<Attempt | null> {
    const { partition, delivery, ref } = course;
    const slots = this.#tryTakeSlots(course);
    if (!slots && !(await this.#takeSlots(course))) return null;
    const { envelope } = delivery;
    const attempt = course.attempts + 1;
    const context = new EventContext({
      envelope,
      handlerId: ref.handlerId,
      attempt,
      sink: this.sink,
    });
    const startedAt = this.clock.now();
    partition.running.add(context);
    const result = await this.#call(course, context);
    partition.running.delete(context);
    course.durationMs = this.clock.now() - startedAt;
    this.#freeSlotsAfter(course, result);
    return { context, result };
  }

  async #call(course: HandlerCourse, context: EventContext): Promise<AttemptResult> {
    const { runtime, delivery, ref } = course;
    course.payload = undefined;
    try {
      const reading = readPayload(delivery.contract, delivery.record.record);
      course.payload = isPromise(reading) ? await reading : reading;
    } catch (error) {
      return { kind: 'failed', error: toError(error) };
    }
    const { handler } = runtime;
    return attemptHandler(handler, course.payload, context, this.clock, () => {
      this.signals.emit('handlerTimedOut', { ...ref, timeoutMs: handler.settings.timeoutMs });
    });
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
