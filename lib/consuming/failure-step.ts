import type { Clock } from '../contracts/clock.js';
import { RetryLaterError } from '../kafka-events.errors.js';
import type { SignalSink } from '../observability/observer.js';
import { judgeFailure, type Judgement } from './failure-judge.js';
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

  /** Counts the attempt in the course, unless it was not the record's. Never rejects. */
  async judge(course: HandlerCourse, result: FailedCall): Promise<Fate> {
    const { context, error } = result;
    if (context.abandoned) return ABANDONED;
    const overdue = result.kind === 'overdue';
    if (overdue) course.overdue = result.later;
    const { clock } = this;
    const failure = { course, context, error, overdue, random: this.random(), clock };
    const judgement = await judgeFailure(failure, {
      onFilterError: (thrown) => {
        this.signals.emit('filterFailed', { ...course.ref, error: thrown });
      },
      onClassifyError: (thrown) => {
        this.signals.emit('classifyFailed', { ...course.ref, error: thrown });
      },
    });
    if (judgement.kind === 'succeeded') return judgement;
    const { attempt } = context;
    if (this.#isOutage(course, judgement, error)) {
      // What failed on the way into the outage was not the record's doing either.
      course.forgive();
      const delayMs = course.runtime.breaker?.waitMs ?? 0;
      this.signals.emit('attemptFailed', { ...course.ref, attempt, error, delayMs });
      return HELD;
    }
    course.attempts = attempt;
    course.firstFailedAt ??= new Date(clock.now());
    const delayMs = judgement.kind === 'dead-letter' ? null : judgement.delayMs;
    this.signals.emit('attemptFailed', { ...course.ref, attempt, error, delayMs });
    switch (judgement.kind) {
      case 'retry':
        return judgement;
      case 'park': {
        const parkedUntil = clock.now() + Math.round(judgement.delayMs);
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

  /** Whether a failure is not the record's own: then it costs no attempt, and nothing is dead-lettered. */
  #isOutage(course: HandlerCourse, judgement: Judgement, error: Error): boolean {
    const { groupId, handlerId } = course.ref;
    const { breaker } = course.runtime;
    // Who says when to come back knows what is going on.
    if (breaker === null || !isRetryable(judgement) || error instanceof RetryLaterError) {
      return false;
    }
    // What comes back from a retry topic is known to fail: it must not pass for records of now.
    const counts = course.level === 0 && course.countedIn !== breaker.era;
    const meaning = breaker.failed(error, { asProbe: course.probing, counts });
    course.countedIn = breaker.era;
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
