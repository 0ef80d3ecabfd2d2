import type { Clock } from '../contracts/clock.js';
import { KafkaEventsError } from '../kafka-events.errors.js';
import type { SignalSink } from '../observability/observer.js';
import type { EventSink } from '../publishing/publish-options.js';
import { EventContext } from './event-context.js';
import {
  HandlerCall,
  type Called,
  type CallResult,
  type CallSurroundings,
} from './handler-call.js';
import type { HandlerCourse } from './handler-course.js';
import type { HandlerSlots } from './handler-slots.js';
import type { Quarantine } from './quarantine.js';
import type { RunningHandlers } from './running-handlers.js';

/** Runs a handler once: takes its slot, reads the payload, calls it, waits within its time. */
export class HandleStep {
  readonly #around: CallSurroundings;

  constructor(
    private readonly slots: HandlerSlots,
    private readonly quarantine: Quarantine,
    running: RunningHandlers,
    claims: CallSurroundings['claims'],
    private readonly sink: EventSink,
    private readonly signals: SignalSink,
    private readonly clock: Clock,
  ) {
    this.#around = { running, claims, signals, clock, ended: this.#ended };
  }

  /** Calls `called` when the call has ended, perhaps at once; with null when there was no slot in time. */
  run(course: HandlerCourse, called: Called): void {
    if (this.slots.tryTake(course)) {
      this.#call(course, called);
      return;
    }
    void this.slots.take(course).then((taken) => {
      if (taken) this.#call(course, called);
      else called(course, null);
    });
  }

  #call(course: HandlerCourse, called: Called): void {
    new HandlerCall(course, this.#contextOf(course), called, this.#around).run();
  }

  #contextOf(course: HandlerCourse): EventContext {
    const { delivery, ref, key, attempts } = course;
    return new EventContext({
      envelope: delivery.envelope,
      handlerId: ref.handlerId,
      key,
      attempt: attempts + 1,
      sink: this.sink,
      holder: course,
    });
  }

  readonly #ended = ({ course, startedAt, called }: HandlerCall, result: CallResult): void => {
    course.durationMs = this.clock.now() - startedAt;
    if (course.runtime.adaptive !== null) this.#adapt(course, startedAt, result);
    this.quarantine.ended();
    if (result.kind === 'overdue') {
      // It still uses what its slots stand for.
      this.signals.emit('slotLeaked', course.ref);
      void result.later.then(() => {
        this.slots.free(course.runtime);
      });
    } else {
      this.slots.free(course.runtime);
    }
    called(course, result);
  };

  /** Has the handler's concurrency follow what its call took, before its slots are free again. */
  #adapt(course: HandlerCourse, startedAt: number, result: CallResult): void {
    const { runtime, durationMs, ref } = course;
    if (course.turnedAway !== null || blamesEvent(course, result)) return;
    // Where the group is at its limit, more of this handler would only wait for that.
    const full = runtime.slots.inUse >= runtime.concurrency && this.slots.groupHasRoom;
    const failed = result.kind !== 'succeeded';
    if (!runtime.adaptTo({ startedAt, durationMs, failed, full })) return;
    const { groupId, handlerId } = ref;
    const { concurrency } = runtime;
    const floorMs = runtime.adaptive?.floorMs ?? null;
    this.signals.emit('concurrencyAdapted', { groupId, handlerId, concurrency, floorMs });
  }
}

/** Such failures tell nothing of load. */
function blamesEvent({ runtime }: HandlerCourse, result: CallResult): boolean {
  if (result.kind !== 'failed') return false;
  const { error } = result;
  if (error instanceof KafkaEventsError && !error.retryable) return true;
  return runtime.handler.faultOf(error) !== 'body';
}
