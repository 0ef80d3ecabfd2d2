import { isPromise, type MaybePromise } from '../contracts/maybe-promise.js';
import { HandlerTimeoutError, toError } from '../kafka-events.errors.js';
import type { EventContext } from './event-context.js';
import type { ClaimStep } from './claim-step.js';
import type { Claimed } from './claimed.js';
import type { Delivery } from './delivery.js';
import type { BoundHandler, CallControl } from './event-handler.js';
import type { HandlerCourse } from './handler-course.js';
import { readPayload } from './read-payload.js';
import { SUCCEEDED, TimedCall, type CallEnding, type TimedSurroundings } from './timed-call.js';

/** How one call of a handler with a record ended. */
export type CallResult =
  | typeof SUCCEEDED
  | (Exclude<CallEnding, { kind: 'succeeded' }> & { readonly context: EventContext });

/** A suspect that was claimed in the call: it goes again, with the store knowing. */
const AS_SUSPECT: Claimed = { until: Promise.resolve() };

/** Told once how a call ended; does not throw. Null: it never began, the partition had to stop first. */
export type Called = (course: HandlerCourse, result: CallResult | null) => void;

/** What all calls of a group share. */
export interface CallSurroundings extends TimedSurroundings {
  readonly ended: (call: HandlerCall, result: CallResult) => void;
  readonly claims: Pick<ClaimStep, 'take' | 'drop'>;
}

/** One call of a handler with a record, within its time. */
export class HandlerCall extends TimedCall<EventContext, CallSurroundings> implements CallControl {
  #claiming: MaybePromise<boolean> | null = null;
  /** It has come back: nobody would end a claim any more. */
  #over = false;
  /** Its result was told: it was given up before it came back. */
  #overdue = false;
  readonly startedAt: number;

  constructor(
    course: HandlerCourse,
    context: EventContext,
    readonly called: Called,
    around: CallSurroundings,
  ) {
    super(course, context, around);
    this.startedAt = around.clock.now();
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
      this.end({ kind: 'failed', error: toError(error) });
      return;
    }
    if (isPromise(returned)) this.waitFor(returned, this.startedAt);
    else this.end(SUCCEEDED);
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
    if (this.context.call.aborted) this.around.claims.drop(this.course);
    this.#throwIfEnded();
    if (this.#over) return false;
    const answer = taken === 'go' && this.course.suspect ? AS_SUSPECT : taken;
    this.course.turnedAway = answer === 'go' ? null : answer;
    return answer === 'go';
  }

  /** Too late to begin: the record may be dead-lettered, or somebody else's, by now. */
  #throwIfEnded(): void {
    if (!this.context.call.aborted) return;
    const { id, timeoutMs } = this.course.runtime.handler.settings;
    throw new HandlerTimeoutError(id, timeoutMs);
  }

  protected end(ending: CallEnding): void {
    const told = this.#overdue;
    if (ending.kind === 'overdue') this.#overdue = true;
    else this.#over = true;
    if (told) return;
    const { context } = this;
    this.around.ended(this, ending.kind === 'succeeded' ? SUCCEEDED : { ...ending, context });
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
