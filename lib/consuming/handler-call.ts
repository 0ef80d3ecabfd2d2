import type { Clock } from '../contracts/clock.js';
import { isPromise, type MaybePromise } from '../contracts/maybe-promise.js';
import { HandlerTimeoutError, toError } from '../kafka-events.errors.js';
import type { SignalSink } from '../observability/observer.js';
import type { EventContext } from './event-context.js';
import type { ClaimStep } from './claim-step.js';
import type { Claimed } from './claimed.js';
import type { Delivery } from './delivery.js';
import type { BoundHandler, CallControl } from './event-handler.js';
import type { HandlerCourse } from './handler-course.js';
import type { OwnedPartition } from './owned-partition.js';
import { readPayload } from './read-payload.js';
import type { RunningHandler, RunningHandlers } from './running-handlers.js';

/** How one call of a handler ended. */
export type CallResult =
  | { readonly kind: 'succeeded' }
  | { readonly kind: 'failed'; readonly error: Error; readonly context: EventContext }
  /** Twice the timeout is over and the handler has still not come back; it may do so `later`. */
  | {
      readonly kind: 'overdue';
      readonly error: Error;
      readonly context: EventContext;
      readonly later: Promise<void>;
    };

/** A suspect that was claimed in the call: it goes again, with the store knowing. */
const AS_SUSPECT: Claimed = { until: Promise.resolve() };

const SUCCEEDED: CallResult = { kind: 'succeeded' };

/** Told once how a call ended; does not throw. Null: it never began, the partition had to stop first. */
export type Called = (course: HandlerCourse, result: CallResult | null) => void;

/** What all calls of a group share. */
export interface CallSurroundings {
  readonly ended: (call: HandlerCall, result: CallResult) => void;
  readonly running: RunningHandlers;
  readonly claims: Pick<ClaimStep, 'take' | 'drop'>;
  readonly signals: SignalSink;
  readonly clock: Clock;
}

/**
 * One call of a handler, and the wait for it: its signal is aborted after `timeoutMs`, and after
 * twice that it is given up. It is never called again here while its promise is pending.
 */
export class HandlerCall implements RunningHandler, CallControl {
  dueAt = Number.POSITIVE_INFINITY;
  previous: RunningHandler | null = null;
  next: RunningHandler | null = null;
  #later: Promise<void> | undefined;
  #claiming: MaybePromise<boolean> | null = null;
  /** It has come back: nobody would end a claim any more. */
  #over = false;
  /** Its result was told: it was given up before it came back. */
  #overdue = false;
  readonly startedAt: number;

  constructor(
    readonly course: HandlerCourse,
    readonly context: EventContext,
    readonly called: Called,
    private readonly around: CallSurroundings,
  ) {
    this.startedAt = around.clock.now();
  }

  get partition(): OwnedPartition {
    return this.course.partition;
  }
  concerns(offset: bigint): boolean {
    return this.course.delivery.record.record.offset === offset;
  }

  /** Reads the payload and calls the handler; tells how it ended, perhaps at once. Never throws. */
  run(): void {
    let returned: MaybePromise<unknown>;
    try {
      returned = this.#invoke();
    } catch (error) {
      this.#end(this.#failed(error));
      return;
    }
    if (isPromise(returned)) this.#withinTime(returned);
    else this.#end(SUCCEEDED);
  }

  /** The clock over running handlers says that the time is up. */
  onDue(): number | null {
    const { id, timeoutMs } = this.course.runtime.handler.settings;
    const { clock, running, signals } = this.around;
    const error = new HandlerTimeoutError(id, timeoutMs);
    if (!this.context.timedOut) {
      signals.emit('handlerTimedOut', { ...this.course.ref, timeoutMs });
      this.context.abort(error);
      return clock.now() + timeoutMs;
    }
    running.delete(this);
    const later = this.#later ?? Promise.resolve();
    this.#overdue = true;
    this.around.ended(this, { kind: 'overdue', error, context: this.context, later });
    return null;
  }

  #invoke(): MaybePromise<unknown> {
    const { course, context } = this;
    const { handler } = course.runtime;
    course.payload = undefined;
    course.turnedAway = null;
    const reading = readFor(handler, course.delivery);
    if (!isPromise(reading)) {
      course.payload = reading;
      return handler.invoke(reading, context, this);
    }
    return reading.then((payload) => {
      course.payload = payload;
      this.#throwIfEnded();
      return handler.invoke(payload, context, this);
    });
  }

  /** Asked once a call, however many interceptors ask. False, too, when the call is over. */
  claim(): MaybePromise<boolean> {
    this.#throwIfEnded();
    return this.#over ? false : (this.#claiming ??= this.#claim());
  }

  #claim(): MaybePromise<boolean> {
    const { course } = this;
    course.claims = true;
    const taken = this.around.claims.take(course);
    return isPromise(taken)
      ? taken.then((claimed) => this.#claimed(claimed))
      : this.#claimed(taken);
  }

  #claimed(taken: Claimed): boolean {
    // Nobody would end a claim that comes after the end: its lease does.
    if (this.context.ended) this.around.claims.drop(this.course);
    this.#throwIfEnded();
    if (this.#over) return false;
    const answer = taken === 'go' && this.course.suspect ? AS_SUSPECT : taken;
    this.course.turnedAway = answer === 'go' ? null : answer;
    return answer === 'go';
  }

  /** Too late to begin: the record may be dead-lettered, or somebody else's, by now. */
  #throwIfEnded(): void {
    if (!this.context.ended) return;
    const { id, timeoutMs } = this.course.runtime.handler.settings;
    throw new HandlerTimeoutError(id, timeoutMs);
  }

  #withinTime(returned: Promise<unknown>): void {
    const { running } = this.around;
    this.dueAt = this.startedAt + this.course.runtime.handler.settings.timeoutMs;
    running.add(this);
    this.#later = returned.then(
      () => {
        running.delete(this);
        this.#end(SUCCEEDED);
      },
      (error: unknown) => {
        running.delete(this);
        this.#end(this.#failed(error));
      },
    );
  }

  #end(result: CallResult): void {
    this.#over = true;
    if (!this.#overdue) this.around.ended(this, result);
  }

  #failed(error: unknown): CallResult {
    return { kind: 'failed', error: toError(error), context: this.context };
  }
}

function readFor(
  { wholeTopic }: BoundHandler,
  { route, envelope }: Delivery,
): MaybePromise<unknown> {
  if (wholeTopic !== undefined) return wholeTopic.read(envelope.record, envelope);
  if (route.contract === null) throw new TypeError('an event handler was given an unrouted record');
  return readPayload(route.contract, envelope.record);
}
