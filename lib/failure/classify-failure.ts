import {
  DeadLetterRequestedError,
  NonRetryableEventError,
  RetryLaterError,
  toError,
} from '../kafka-events.errors.js';
import type { HandlerRef } from '../observability/observer.js';
import type { DeadLetterReason } from './dead-letter-reason.js';
import {
  MAX_LANE_DELAY_MS,
  MAX_PARKED_MS,
  retryDelayMs,
  type FailureClass,
  type InvocationFault,
  type RetryPolicy,
} from './retry-policy.js';

/** What becomes of a failed attempt. */
export type FailureVerdict =
  | { readonly kind: 'retry'; readonly delayMs: number }
  /** Its lane is not to wait for the next attempt. */
  | { readonly kind: 'park'; readonly delayMs: number }
  | { readonly kind: 'dead-letter'; readonly reason: DeadLetterReason };

export interface FailedAttempt {
  readonly error: Error;
  readonly fault: InvocationFault;
  /** Attempts that have failed, this one included. */
  readonly attempts: number;
  readonly policy: RetryPolicy;
  /** What the record may wait for in a retry topic, one after the other; null where there is none. */
  readonly delaysMs: readonly number[] | null;
  /** How often it has been in the retry topic. */
  readonly level: number;
  /** Asked for by the handler in place of the policy's. */
  readonly askedMs?: number | null;
  /** In [0, 1), for the jitter. */
  readonly random: number;
  readonly ref: HandlerRef;
  /** Told what the policy's `classify` threw. */
  readonly onClassifyError: (error: Error) => void;
}

/** Decides between another attempt and the dead-letter topic. */
export function classifyFailure(failed: FailedAttempt): FailureVerdict {
  const { error, fault } = failed;
  if (error instanceof DeadLetterRequestedError) return deadLetter('handler-requested');
  if (error instanceof NonRetryableEventError) return deadLetter('non-retryable');
  if (error instanceof RetryLaterError) {
    return retryOrExhausted(failed, failed.askedMs ?? error.delayMs);
  }
  const said = classOf(failed);
  if (said === 'dead-letter') return deadLetter('non-retryable');
  if (said === undefined && fault !== 'body') {
    return deadLetter(fault === 'rejected-by-guard' ? 'rejected-by-guard' : 'invalid');
  }
  return retryOrExhausted(failed, failed.askedMs ?? null);
}

/** What the policy says of the error itself; undefined where it says nothing, or fails to. */
function classOf({
  error,
  fault,
  attempts: attempt,
  policy: { classify },
  ref,
  onClassifyError,
}: FailedAttempt): FailureClass | undefined {
  if (classify === undefined) return undefined;
  try {
    // Plain JavaScript may answer anything, an async function a promise.
    const said: unknown = classify(error, { ...ref, attempt, fault });
    if (said === undefined || said === 'retry' || said === 'dead-letter') return said;
    throw new TypeError("classify must answer 'retry', 'dead-letter' or undefined, at once");
  } catch (thrown) {
    onClassifyError(toError(thrown));
    return undefined;
  }
}

/**
 * Another attempt after `delayMs` (null: the policy's backoff) while attempts are left; then those of
 * the retry topic, each of which is one, and where a longer delay is asked for than a lane may wait.
 */
export function retryOrExhausted(
  failed: Pick<FailedAttempt, 'attempts' | 'policy' | 'random' | 'delaysMs' | 'level'>,
  delayMs: number | null,
): FailureVerdict {
  const { attempts, policy, random, delaysMs, level } = failed;
  const isLastOfLane = level > 0 || attempts >= policy.attempts;
  const parkedMs = delaysMs?.[level];
  if (parkedMs !== undefined && (isLastOfLane || (delayMs ?? 0) > MAX_LANE_DELAY_MS)) {
    return { kind: 'park', delayMs: clamp(delayMs ?? parkedMs, MAX_PARKED_MS) };
  }
  if (isLastOfLane) return deadLetter('retries-exhausted');
  const wanted = delayMs ?? retryDelayMs(policy, attempts, random);
  return { kind: 'retry', delayMs: clamp(wanted, MAX_LANE_DELAY_MS) };
}

function clamp(delayMs: number, longestMs: number): number {
  // Whatever is no delay, NaN included, is none.
  return delayMs > 0 ? Math.min(delayMs, longestMs) : 0;
}

function deadLetter(reason: DeadLetterReason): FailureVerdict {
  return { kind: 'dead-letter', reason };
}
