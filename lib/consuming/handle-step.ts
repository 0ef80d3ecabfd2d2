import type { Clock } from '../contracts/clock.js';
import { KafkaEventsError } from '../kafka-events.errors.js';
import type { SignalSink } from '../observability/observer.js';
import type { EventSink } from '../publishing/publish-options.js';
import type { CrashGuard } from './crash-guard.js';
import { EventContext } from './event-context.js';
import {
  HandlerCall,
  type Called,
  type CallResult,
  type CallSurroundings,
} from './handler-call.js';
import type { HandlerCourse } from './handler-course.js';
import type { Quarantine } from './quarantine.js';
import type { RunningHandlers } from './running-handlers.js';
import type { Semaphore } from './semaphore.js';

/** Runs a handler once: takes its slot, reads the payload, calls it, waits within its time. */
export class HandleStep {
  readonly #around: CallSurroundings;

  constructor(
    /** Handlers of the group running at once; null: no limit beyond their own. */
    private readonly groupSlots: Semaphore | null,
    private readonly quarantine: Quarantine,
    private readonly guard: Pick<CrashGuard, 'admit'>,
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
    if (course.suspect) void this.#runSuspect(course, called);
    else if (!this.quarantine.closed && this.#tryTakeSlots(course)) this.#call(course, called);
    else void this.#runLater(course, called);
  }

  async #runLater(course: HandlerCourse, called: Called): Promise<void> {
    while (await this.#takeSlots(course)) {
      if (!this.quarantine.closed) {
        this.#call(course, called);
        return;
      }
      // Not with a slot: the suspect that it waits for may need it.
      this.#freeSlots(course);
      if (!(await this.quarantine.whenOpen(course.partition))) break;
    }
    called(course, null);
  }

  async #runSuspect(course: HandlerCourse, called: Called): Promise<void> {
    // Slots first: whoever is alone must not wait for anything.
    if (await this.#takeSlots(course)) {
      if (await this.guard.admit(course)) {
        this.#call(course, called);
        return;
      }
      this.#freeSlots(course);
    }
    called(course, null);
  }

  #call(course: HandlerCourse, called: Called): void {
    this.quarantine.began();
    new HandlerCall(course, this.#contextOf(course), called, this.#around).run();
  }

  #contextOf({ delivery, ref, key, attempts }: HandlerCourse): EventContext {
    const { envelope } = delivery;
    const { handlerId } = ref;
    return new EventContext({ envelope, handlerId, key, attempt: attempts + 1, sink: this.sink });
  }

  readonly #ended = ({ course, startedAt, called }: HandlerCall, result: CallResult): void => {
    course.durationMs = this.clock.now() - startedAt;
    if (course.runtime.adaptive !== null) this.#adapt(course, startedAt, result);
    this.quarantine.ended();
    if (result.kind === 'overdue') {
      // It still uses what its slots stand for.
      this.signals.emit('slotLeaked', course.ref);
      void result.later.then(() => {
        this.#freeSlots(course);
      });
    } else {
      this.#freeSlots(course);
    }
    called(course, result);
  };

  /** Has the handler's concurrency follow what its call took, before its slots are free again. */
  #adapt(course: HandlerCourse, startedAt: number, result: CallResult): void {
    const { runtime, durationMs, ref } = course;
    if (course.turnedAway !== null || blamesEvent(course, result)) return;
    // Where the group is at its limit, more of this handler would only wait for that.
    const full = runtime.slots.inUse >= runtime.concurrency && this.groupSlots?.available !== false;
    const failed = result.kind !== 'succeeded';
    if (!runtime.adaptTo({ startedAt, durationMs, failed, full })) return;
    const { groupId, handlerId } = ref;
    const { concurrency } = runtime;
    const floorMs = runtime.adaptive?.floorMs ?? null;
    this.signals.emit('concurrencyAdapted', { groupId, handlerId, concurrency, floorMs });
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

  #freeSlots({ runtime }: HandlerCourse): void {
    runtime.slots.release();
    this.groupSlots?.release();
  }
}

/** Such failures tell nothing of load. */
function blamesEvent({ runtime }: HandlerCourse, result: CallResult): boolean {
  if (result.kind !== 'failed') return false;
  const { error } = result;
  if (error instanceof KafkaEventsError && !error.retryable) return true;
  return runtime.handler.faultOf(error) !== 'body';
}
