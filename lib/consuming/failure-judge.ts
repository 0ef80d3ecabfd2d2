import { withinMs } from '../contracts/within.js';
import type { Clock } from '../contracts/clock.js';
import { isPromise } from '../contracts/maybe-promise.js';
import {
  classifyFailure,
  retryOrExhausted,
  type FailedAttempt,
  type FailureVerdict,
} from '../failure/classify-failure.js';
import { policyFor } from '../failure/error-schedules.js';
import { retryDelayMs } from '../failure/retry-policy.js';
import {
  DeadLetterRequestedError,
  HandlerTimeoutError,
  InvalidPayloadError,
  toError,
  UndecodableRecordError,
} from '../kafka-events.errors.js';
import type { BoundHandler, HandledContext } from './event-handler.js';
import type { EventOutcome } from './event-outcome.js';
import type { HandlerCourse } from './handler-course.js';

/** A failed attempt of one course, once the filters have been asked. */
export interface Failure {
  readonly course: HandlerCourse;
  readonly error: Error;
  /** What an exception filter decided; null for nothing. */
  readonly outcome: EventOutcome | null;
  /** The handler has not come back even after twice its timeout. */
  readonly overdue: boolean;
  /** Attempts that have failed, this one included. */
  readonly attempt: number;
  /** In [0, 1), for the jitter. */
  readonly random: number;
  /** Asked for by the handler in place of its policy's delay. */
  readonly askedMs?: number | null;
}

/** What becomes of a failed attempt, with the error that a dead letter would name. */
export type Judgement =
  | { readonly kind: 'succeeded' }
  | { readonly kind: 'retry'; readonly delayMs: number }
  | { readonly kind: 'park'; readonly delayMs: number }
  | (FailureVerdict & { readonly kind: 'dead-letter'; readonly error: Error });

/**
 * Decides what becomes of a failed attempt; a filter's outcome comes first.
 *
 * @param onClassifyError told what the policy's own rules threw; the failure is judged as if they had
 * said nothing.
 */
export function judgeFailure(failure: Failure, onClassifyError: (error: Error) => void): Judgement {
  const { course, error, outcome, attempt: attempts, random } = failure;
  // What still runs cannot be run again, nor be called a success.
  if (failure.overdue) return { kind: 'dead-letter', reason: 'timeout', error };
  const { retry, retryTopic } = course.runtime.handler.settings;
  const policy = policyFor(retry, error, onClassifyError);
  const topic = policy.retryTopic ?? retryTopic;
  const delaysMs = topic === null || topic === false ? null : topic.delaysMs;
  const failed = { policy, attempts, random, delaysMs, level: course.level, onClassifyError };
  const decision = outcome?.decision;
  switch (decision?.kind) {
    case 'succeeded':
      return decision;
    case 'retry':
      return withError(retryOrExhausted(failed, decision.delayMs), error);
    case 'keep-trying':
      return { kind: 'retry', delayMs: retryDelayMs(policy, attempts, random) };
    case 'dead-letter': {
      const asked = new DeadLetterRequestedError(decision.message);
      return { kind: 'dead-letter', reason: 'handler-requested', error: asked };
    }
    case undefined:
      return withError(verdictOf(failure, failed), error);
  }
}

function verdictOf(
  { course, error, askedMs = null }: Failure,
  failed: Omit<FailedAttempt, 'error' | 'fault' | 'ref' | 'askedMs'>,
): FailureVerdict {
  if (error instanceof UndecodableRecordError)
    return { kind: 'dead-letter', reason: 'undecodable' };
  if (error instanceof InvalidPayloadError) return { kind: 'dead-letter', reason: 'invalid' };
  const fault = course.runtime.handler.faultOf(error);
  return classifyFailure({ ...failed, error, fault, askedMs, ref: course.ref });
}

/** What a handler's exception filters are shown. */
export interface Shown {
  readonly handler: BoundHandler;
  readonly error: Error;
  readonly payload: unknown;
  readonly context: HandledContext;
  readonly clock: Clock;
}

/** Shows a failure to the handler's exception filters; null when they decide nothing. Never rejects. */
export async function askFilters(
  { handler, error, payload, context, clock }: Shown,
  onFilterError: (error: Error) => void,
): Promise<EventOutcome | null> {
  const { id, timeoutMs } = handler.settings;
  try {
    const filtering = handler.filter(error, payload, context, onFilterError);
    // A filter gets the handler's time, no more: the record must come to an end.
    if (isPromise(filtering) && !(await withinMs(filtering, timeoutMs, clock))) {
      throw new HandlerTimeoutError(`an exception filter of ${id}`, timeoutMs);
    }
    return await filtering;
  } catch (thrown) {
    onFilterError(toError(thrown));
    return null;
  }
}

function withError(verdict: FailureVerdict, error: Error): Judgement {
  return verdict.kind === 'dead-letter' ? { ...verdict, error } : verdict;
}
