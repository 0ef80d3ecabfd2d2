import type { Clock } from '../contracts/clock.js';
import { serviceTroubleOf, type ServiceTrouble } from '../failure/service-trouble.js';
import { RetryLaterError } from '../kafka-events.errors.js';
import type { SignalSink } from '../observability/observer.js';
import type { EventOutcome } from './event-outcome.js';
import {
  askFilters,
  judgeFailure,
  type Failure,
  type Judgement,
  type Shown,
} from './failure-judge.js';
import type { CallResult } from './handler-call.js';
import type { HandlerCourse } from './handler-course.js';

export type FailedCall = Exclude<CallResult, { kind: 'succeeded' }>;

/** What becomes of a course whose call failed. */
export type Fate =
  /** An exception filter dealt with it. */
  | { readonly kind: 'succeeded' }
  /** Nobody's failure: the process gave up waiting. */
  | { readonly kind: 'abandoned' }
  /** Not the record's own failure: it goes again when its handler may, and has spent no attempt. */
  | { readonly kind: 'held' }
  | { readonly kind: 'retry'; readonly delayMs: number }
  /** `course.verdict` says why. */
  | { readonly kind: 'given-up' };

/**
 * What a failure weighs when its handler's outage is considered: as its record's own, once however
 * often it fails; as a call's that many records shared; or nothing, that call being counted.
 */
export type FailureWeight = 'own' | 'call' | 'none';

/** A failed attempt of one course. */
export interface FailedCourse extends Omit<Failure, 'course'> {
  /** Default `'own'`. */
  readonly weighs?: FailureWeight;
}

const HELD: Fate = { kind: 'held' };
const ABANDONED: Fate = { kind: 'abandoned' };
const GIVEN_UP: Fate = { kind: 'given-up' };

/** Judges failed calls: filters first, then outage or attempt, then another attempt or none. */
export class FailureStep {
  constructor(
    private readonly signals: SignalSink,
    private readonly clock: Clock,
    private readonly random: () => number,
  ) {}

  /** Shows a failed call to the handler's filters, then judges it. Never rejects. */
  async judge(course: HandlerCourse, result: FailedCall): Promise<Fate> {
    const { context, error } = result;
    const overdue = result.kind === 'overdue';
    // First of all: an abandoned one, too, keeps its claim until it has come back.
    if (overdue) course.overdue = result.later;
    if (context.call.abandoned) return ABANDONED;
    const outcome = await this.askFilters(course, { error, payload: course.payload, context });
    const { attempt } = context;
    return this.fateOf(course, { error, outcome, overdue, attempt, random: this.random() });
  }

  /** What the handler's filters say; signals name the course. Never rejects. */
  askFilters(
    { runtime: { handler }, ref }: HandlerCourse,
    shown: Pick<Shown, 'error' | 'payload' | 'context'>,
  ): Promise<EventOutcome | null> {
    return askFilters({ handler, ...shown, clock: this.clock }, (error) => {
      this.signals.emit('filterFailed', { ...ref, error });
    });
  }

  /** Counts the attempt in the course, unless it was not the record's. */
  fateOf(course: HandlerCourse, failed: FailedCourse): Fate {
    const { error, attempt, weighs = 'own', askedMs = null } = failed;
    const judgement = judgeFailure({ ...failed, course }, (thrown) => {
      this.signals.emit('classifyFailed', { ...course.ref, error: thrown });
    });
    if (judgement.kind === 'succeeded') return judgement;
    // Who says when to come back knows what is going on.
    const knows = error instanceof RetryLaterError || askedMs !== null;
    if (!knows && isRetryable(judgement)) {
      const trouble = serviceTroubleOf(error);
      const fate = this.#waits(
        course,
        error,
        trouble,
        trouble?.isOutage === false ? 'none' : weighs,
      );
      if (fate !== null) {
        const delayMs =
          fate.kind === 'retry' ? fate.delayMs : (course.runtime.breaker?.waitMs ?? 0);
        this.signals.emit('attemptFailed', { ...course.ref, attempt, error, delayMs });
        return fate;
      }
    }
    course.attempts = attempt;
    course.firstFailedAt ??= this.clock.wallTime();
    const delayMs = judgement.kind === 'dead-letter' ? null : judgement.delayMs;
    this.signals.emit('attemptFailed', { ...course.ref, attempt, error, delayMs });
    switch (judgement.kind) {
      case 'retry':
        return judgement;
      case 'park': {
        const parkedUntil = this.clock.wallTime().getTime() + Math.round(judgement.delayMs);
        course.verdict = { reason: 'retries-exhausted', error, parkedUntil };
        return GIVEN_UP;
      }
      case 'dead-letter':
        course.verdict = { reason: judgement.reason, error: judgement.error, parkedUntil: null };
        return GIVEN_UP;
    }
  }

  /** A call succeeded: that ends its handler's outage, if there is one. */
  succeeded({ runtime, ref: { groupId, handlerId } }: HandlerCourse): void {
    const began = runtime.breaker?.outage?.since;
    if (runtime.breaker?.succeeded() !== true || began === undefined) return;
    this.signals.emit('outageEnded', { groupId, handlerId, heldMs: this.clock.now() - began });
  }

  /** How a record goes on for whose failure nobody is to blame but what its handler depends on; else null. */
  #waits(
    course: HandlerCourse,
    error: Error,
    trouble: ServiceTrouble | null,
    weighs: FailureWeight,
  ): Fate | null {
    const isOutage = this.#isOutage(course, error, weighs);
    // What failed on the way into the outage was not the record's doing either.
    if (isOutage || trouble?.isOutage === true) course.forgive();
    if (isOutage) return HELD;
    // Not held: the handler may have other services, and records that need only those.
    return trouble && { kind: 'retry', delayMs: trouble.waitMs };
  }

  /** Whether a failure is not the record's own: then it costs no attempt, and nothing is dead-lettered. */
  #isOutage(course: HandlerCourse, error: Error, weighs: FailureWeight): boolean {
    const { groupId, handlerId } = course.ref;
    const { breaker } = course.runtime;
    if (breaker === null) return false;
    // What comes back from a retry topic is known to fail: it must not pass for records of now.
    const counts =
      course.level === 0 &&
      (weighs === 'own' ? course.countedIn !== breaker.era : weighs === 'call');
    const meaning = breaker.failed(error, { asProbe: course.probing, counts });
    if (weighs === 'own') course.countedIn = breaker.era;
    course.probing = false;
    if (meaning === 'outage-begins') {
      this.signals.emit('outageBegan', { groupId, handlerId, error });
    }
    return meaning !== 'attempt';
  }
}

function isRetryable(judgement: Judgement): boolean {
  return (
    judgement.kind === 'retry' ||
    judgement.kind === 'park' ||
    (judgement.kind === 'dead-letter' && judgement.reason === 'retries-exhausted')
  );
}
