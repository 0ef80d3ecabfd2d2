import type { Clock } from '../contracts/clock.js';
import { EventEnvelope } from '../contracts/event-envelope.js';
import { isPromise, type MaybePromise } from '../contracts/maybe-promise.js';
import type { DeadLetterReason } from '../failure/dead-letter-reason.js';
import type { ParkedRecord } from '../failure/parked-record.js';
import { UnroutableRecordError } from '../kafka-events.errors.js';
import type { SignalSink } from '../observability/observer.js';
import { admissionOf, endProbe, placeOf } from './admission.js';
import { backoffMs } from './backoff.js';
import type { ClaimStep, Completed } from './claim-step.js';
import type { Claimed } from './claimed.js';
import type { ConsumedRecord } from './consumed-record.js';
import type { CrashGuard } from './crash-guard.js';
import type { DeadLetterStep } from './dead-letter-step.js';
import { recordRef, type Delivery } from './delivery.js';
import type { TopicRoutes } from './event-router.js';
import type { FailedCall, FailureStep } from './failure-step.js';
import type { GiveUpStep } from './give-up-step.js';
import type { HandleStep } from './handle-step.js';
import type { CallResult } from './handler-call.js';
import type { HandlerCourse } from './handler-course.js';
import type { HandlerCourses } from './handler-courses.js';
import type { KeyHolds } from './key-holds.js';
import type { RecordEnding, RecordOutcome } from './record-ending.js';
import { signalHandled } from './signal-handled.js';

/** A record after decoding and routing: for handlers, or at its end already. */
export type Opened =
  Delivery | { readonly kind: 'settle'; readonly outcome: 'not-ours' | 'tombstone' } | Unhandled;

/** A record that reaches no handler. */
export interface Unhandled {
  readonly kind: 'dead-letter';
  readonly reason: DeadLetterReason;
  readonly error: Error;
  /** What the record is, where it comes from a retry topic; null when it is what it was delivered as. */
  readonly parked: ParkedRecord | null;
}

export interface PipelineSteps {
  readonly claim: ClaimStep;
  readonly guard: CrashGuard;
  readonly handle: HandleStep;
  readonly failure: FailureStep;
  readonly giveUp: GiveUpStep;
  readonly keyHolds: KeyHolds;
  readonly deadLetter: DeadLetterStep;
}

export interface PipelineOptions {
  readonly groupId: string;
  readonly missingId: 'derive' | 'dead-letter';
}

/** One pass of a handler over its record: it ended, or it goes again after a wait. */
type Pass =
  | { readonly kind: 'end'; readonly outcome: RecordOutcome }
  | { readonly kind: 'again'; readonly wait: Promise<void> | null }
  /** Goes again when its handler may run, and keeps its ticket: no others need start. */
  | { readonly kind: 'held'; readonly wait: Promise<void> };

/** Its handler is at work: what comes of that goes on with the pass. */
const CALLING = Symbol('calling');

type Step = Pass | typeof CALLING | Promise<Pass | typeof CALLING>;

const AGAIN: Pass = { kind: 'again', wait: null };
const DUPLICATE: Pass = { kind: 'end', outcome: 'duplicate' };
const HANDLED: Pass = { kind: 'end', outcome: 'handled' };

/**
 * The way of a record, its steps in this order:
 *
 *     decode ─ route ─ (lane) ─ claim ─ slot ─ handle ─ complete ─ settle
 *                                 │               └ failed: filters, then retry in lane | retry topic | dead letter
 *                                 └ done, parked or dead: duplicate · in progress elsewhere: wait
 *
 * `open` decodes and routes when the record reaches the head of its lane; `run` does the rest for
 * each of its handlers, side by side, and answers how the record ended. Settling is the caller's,
 * and the only door to the offset. Nothing thrown by a handler, a store or a broker gets out of here.
 */
export class RecordPipeline {
  constructor(
    private readonly options: PipelineOptions,
    private readonly courses: HandlerCourses,
    private readonly steps: PipelineSteps,
    private readonly signals: SignalSink,
    private readonly clock: Clock,
  ) {}

  open(record: ConsumedRecord, routes: TopicRoutes): Opened {
    const envelope = new EventEnvelope(record.partition, record.record);
    const routing = routes.routingOf(envelope);
    const tombstone = record.record.value === null;
    if (routing.kind === 'not-ours') return this.#notOurs(record, envelope.eventType);
    if (routing.kind !== 'ours') {
      // A tombstone has nothing but its key: without a type it is nobody's poison.
      return tombstone && routing.kind === 'no-event-type'
        ? this.#tombstone(record)
        : unroutable(routing.kind, routing.why);
    }
    const { route } = routing;
    const handlers = tombstone
      ? route.handlers.filter(({ handler }) => handler.settings.tombstones)
      : route.handlers;
    if (handlers.length === 0) return this.#tombstone(record);
    if (envelope.idDerived) {
      this.signals.emit('missingId', recordRef(this.options.groupId, record));
      if (this.options.missingId === 'dead-letter') {
        return unroutable('invalid', "the record has no event id, and missingId is 'dead-letter'");
      }
    }
    return { kind: 'deliver', record, envelope, parked: null, route, handlers };
  }

  /** Takes a record, whose handlers all have a ticket, to its end; gives the tickets back. Never throws. */
  run(delivery: Delivery, ending: RecordEnding): void {
    this.courses.open(delivery, ending, this.#go);
  }

  /** Dead-letters a record that reaches no handler, trying for as long as its partition is ours. */
  async deadLetter(
    record: ConsumedRecord,
    { reason, error, parked }: Unhandled,
    ending: RecordEnding,
  ): Promise<void> {
    const { partition } = record;
    const placed = parked === null ? record : { record: parked.record, partition: parked.origin };
    const { handlerId = null, attempts = 0, firstFailedAt = this.clock.wallTime() } = parked ?? {};
    const givenUp = { handlerId, reason, error, attempts, firstFailedAt };
    let written = false;
    for (let tries = 1; !written && (await partition.whenActive()); tries++) {
      partition.enter();
      written = await this.steps.deadLetter.write(placed, givenUp);
      partition.exit();
      if (!written) await partition.sleep(backoffMs(tries));
    }
    ending.ended(record, written ? 'dead-lettered' : 'abandoned');
  }

  readonly #go = (course: HandlerCourse): void => {
    course.partition.enter();
    try {
      this.#follow(course, this.#pass(course));
    } catch (error) {
      this.#fault(course, error);
    }
  };

  /** Where a pass went; while its handler is at work, the end of that call goes on with it. */
  #follow(course: HandlerCourse, step: Step): void {
    if (step === CALLING) return;
    if (!isPromise(step)) {
      this.#passed(course, step);
      return;
    }
    step.then(
      (next) => {
        this.#follow(course, next);
      },
      (error: unknown) => {
        this.#fault(course, error);
      },
    );
  }

  #passed(course: HandlerCourse, pass: Pass): void {
    course.partition.exit();
    endProbe(course);
    this.steps.guard.leave(course);
    if (pass.kind !== 'held') course.returnTicket();
    if (pass.kind === 'end') this.#end(course, pass.outcome);
    else void this.#goAgain(course, pass.wait);
  }

  #end(course: HandlerCourse, outcome: RecordOutcome): void {
    const { ending, delivery } = course;
    if (outcome === 'handled' || !this.steps.keyHolds.wants(course, outcome)) {
      ending.ended(delivery.record, outcome);
      return;
    }
    void this.steps.keyHolds.hold(course).then((held) => {
      ending.ended(delivery.record, held);
    });
  }

  async #goAgain(course: HandlerCourse, wait: Promise<void> | null): Promise<void> {
    const { partition, delivery, ending } = course;
    if (wait !== null) await wait;
    do {
      if (!(await partition.whenActive())) {
        course.returnTicket();
        void this.steps.claim.leave(course);
        ending.ended(delivery.record, 'abandoned');
        return;
      }
      // What is only to be dead-lettered does not run any more and needs no ticket.
    } while (course.verdict === null && !(await course.takeTicket()));
    this.#go(course);
  }

  #fault(course: HandlerCourse, error: unknown): void {
    this.steps.claim.drop(course);
    course.returnTicket();
    course.partition.exit();
    endProbe(course);
    this.steps.guard.leave(course);
    course.ending.faulted(course.delivery.record, error);
  }

  // Promises only where there is something to wait for: this is every record's way.
  #pass(course: HandlerCourse): Step {
    if (!course.partition.active) return AGAIN;
    // Without tickets to give it is not even claimed for.
    if (course.runtime.held && course.verdict === null) return this.#again(course, null);
    const admission = admissionOf(course);
    if (admission === 'wait') return this.#held(course);
    course.probing = admission === 'probe';
    if (!course.claims) return this.#claimed(course, 'go');
    const taken = this.steps.claim.take(course);
    return isPromise(taken)
      ? taken.then((claimed) => this.#claimed(course, claimed))
      : this.#claimed(course, taken);
  }

  #claimed(course: HandlerCourse, taken: Claimed): Step {
    if (taken !== 'go') return notNow(taken);
    if (course.verdict !== null) return this.#giveUp(course);
    if (!course.partition.active) return this.#again(course, null);
    const waitMs = placeOf(course);
    if (waitMs > 0) return { kind: 'held', wait: course.partition.sleep(waitMs) };
    course.hasPlace = false;

    this.steps.handle.run(course, this.#called);
    return CALLING;
  }

  readonly #called = (course: HandlerCourse, result: CallResult | null): void => {
    try {
      this.#follow(course, this.#attempted(course, result));
    } catch (error) {
      this.#fault(course, error);
    }
  };

  #attempted(course: HandlerCourse, result: CallResult | null): MaybePromise<Pass> {
    if (result === null) return this.#again(course, null);
    // What failed around a body that did not run is no failure of its own.
    if (course.turnedAway !== null && result.kind !== 'overdue') return notNow(course.turnedAway);
    if (result.kind !== 'succeeded') return this.#failed(course, result);
    this.steps.failure.succeeded(course);
    return this.#complete(course);
  }

  #complete(course: HandlerCourse): MaybePromise<Pass> {
    const marking = this.steps.claim.complete(course, 'done');
    return isPromise(marking)
      ? marking.then((completed) => this.#completed(course, completed))
      : this.#completed(course, marking);
  }

  #completed(course: HandlerCourse, completed: Completed): Pass {
    if (completed === 'unmarked' && course.partition.lost) {
      return { kind: 'end', outcome: 'abandoned' };
    }
    signalHandled(this.signals, course);
    return HANDLED;
  }

  async #failed(course: HandlerCourse, result: FailedCall): Promise<Pass> {
    const fate = await this.steps.failure.judge(course, result);
    switch (fate.kind) {
      case 'succeeded':
        return this.#complete(course);
      case 'abandoned':
        return this.#again(course, null);
      case 'held':
        await this.steps.claim.giveBack(course);
        return this.#held(course);
      case 'retry':
        return this.#again(course, course.partition.sleep(fate.delayMs));
      case 'given-up':
        return this.#giveUp(course);
    }
  }

  #held(course: HandlerCourse): Pass {
    const { partition } = course;
    const { breaker } = course.runtime;
    if (breaker === null) return AGAIN;
    return {
      kind: 'held',
      wait: partition.sleep(breaker.waitMs, (wake) => breaker.onChange(wake)),
    };
  }

  async #giveUp(course: HandlerCourse): Promise<Pass> {
    course.returnTicket();
    const outcome = await this.steps.giveUp.giveUp(course);
    if (outcome !== null) return { kind: 'end', outcome };
    return this.#again(course, course.partition.sleep(backoffMs(++course.setbacks)));
  }

  async #again(course: HandlerCourse, wait: Promise<void> | null): Promise<Pass> {
    await this.steps.claim.giveBack(course);
    return { kind: 'again', wait };
  }

  #notOurs(record: ConsumedRecord, eventType: string): Opened {
    this.signals.emit('notOurs', { ...recordRef(this.options.groupId, record), eventType });
    return { kind: 'settle', outcome: 'not-ours' };
  }

  #tombstone(record: ConsumedRecord): Opened {
    this.signals.emit('tombstone', recordRef(this.options.groupId, record));
    return { kind: 'settle', outcome: 'tombstone' };
  }
}

function notNow(taken: Exclude<Claimed, 'go'>): Pass {
  return taken === 'duplicate' ? DUPLICATE : { kind: 'again', wait: taken.until };
}

function unroutable(reason: DeadLetterReason, why: string): Opened {
  return { kind: 'dead-letter', reason, error: new UnroutableRecordError(why), parked: null };
}
