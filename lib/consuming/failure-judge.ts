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
import type { EventContext } from './event-context.js';
import type { EventOutcome } from './event-outcome.js';
import type { HandlerCourse } from './handler-course.js';

export interface Failure {
  readonly course: HandlerCourse;
  readonly context: EventContext;
  readonly error: Error;
  /** The handler has not come back even after twice its timeout. */
  readonly overdue: boolean;
  /** In [0, 1), for the jitter. */
  readonly random: number;
  readonly clock: Clock;
}

/** What becomes of a failed attempt, with the error that a dead letter would name. */
export type Judgement =
  | { readonly kind: 'succeeded' }
  | { readonly kind: 'retry'; readonly delayMs: number }
  | { readonly kind: 'park'; readonly delayMs: number }
  | (FailureVerdict & { readonly kind: 'dead-letter'; readonly error: Error });

/** Told what the application's own rules threw; the failure is judged as if they had said nothing. */
export interface RuleFaults {
  readonly onFilterError: (error: Error) => void;
  readonly onClassifyError: (error: Error) => void;
}

/** Shows a failure to the handler's exception filters, then decides; a filter's outcome comes first. */
export async function judgeFailure(failure: Failure, faults: RuleFaults): Promise<Judgement> {
  const { course, context, error } = failure;
  const outcome = await runFilters(failure, faults.onFilterError);
  // What still runs cannot be run again, nor be called a success.
  if (failure.overdue) return { kind: 'dead-letter', reason: 'timeout', error };
  const { onClassifyError } = faults;
  const { retry, retryTopic } = course.runtime.handler.settings;
  const policy = policyFor(retry, error, onClassifyError);
  const topic = policy.retryTopic ?? retryTopic;
  const delaysMs = topic === null || topic === false ? null : topic.delaysMs;
  const { random } = failure;
  const { attempt: attempts } = context;
  const failed = { policy, attempts, random, delaysMs, level: course.level, onClassifyError };
  const decision = outcome?.decision;
  switch (decision?.kind) {
    case 'succeeded':
      return decision;
    case 'retry':
      return withError(retryOrExhausted(failed, decision.delayMs), error);
    case 'keep-trying':
      return { kind: 'retry', delayMs: retryDelayMs(policy, context.attempt, failure.random) };
    case 'dead-letter': {
      const asked = new DeadLetterRequestedError(decision.message);
      return { kind: 'dead-letter', reason: 'handler-requested', error: asked };
    }
    case undefined:
      return withError(verdictOf(failure, failed), error);
  }
}

function verdictOf(
  { course, error }: Failure,
  failed: Omit<FailedAttempt, 'error' | 'fault' | 'ref'>,
): FailureVerdict {
  if (error instanceof UndecodableRecordError)
    return { kind: 'dead-letter', reason: 'undecodable' };
  if (error instanceof InvalidPayloadError) return { kind: 'dead-letter', reason: 'invalid' };
  const fault = course.runtime.handler.faultOf(error);
  return classifyFailure({ ...failed, error, fault, ref: course.ref });
}

async function runFilters(
  { course, context, error, clock }: Failure,
  onFilterError: (error: Error) => void,
): Promise<EventOutcome | null> {
  const { handler } = course.runtime;
  const { id, timeoutMs } = handler.settings;
  try {
    const filtering = handler.filter(error, course.payload, context, onFilterError);
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
