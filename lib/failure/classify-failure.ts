import {
  DeadLetterRequestedError,
  NonRetryableEventError,
  RetryLaterError,
} from '../kafka-events.errors.js';
import type { DeadLetterReason } from './dead-letter-reason.js';
import { MAX_LANE_DELAY_MS, retryDelayMs, type RetryPolicy } from './retry-policy.js';

/**
 * Where in a handler's call an error came from. A guard that answered `false` and a pipe that
 * refused the payload blame the event; everything else may be the world's fault and is retried.
 */
export type InvocationFault = 'rejected-by-guard' | 'rejected-by-pipe' | 'body';

/** What becomes of a failed attempt. */
export type FailureVerdict =
  | { readonly kind: 'retry'; readonly delayMs: number }
  | { readonly kind: 'dead-letter'; readonly reason: DeadLetterReason };

export interface FailedAttempt {
  readonly error: Error;
  readonly fault: InvocationFault;
  /** Attempts that have failed, this one included. */
  readonly attempts: number;
  readonly policy: RetryPolicy;
  /** In [0, 1), for the jitter. */
  readonly random: number;
}

/** Decides between another attempt and the dead-letter topic. */
export function classifyFailure(failed: FailedAttempt): FailureVerdict {
  const { error, fault } = failed;
  if (fault === 'rejected-by-guard') return deadLetter('rejected-by-guard');
  if (fault === 'rejected-by-pipe') return deadLetter('invalid');
  if (error instanceof DeadLetterRequestedError) return deadLetter('handler-requested');
  if (error instanceof NonRetryableEventError) return deadLetter('non-retryable');
  return retryOrExhausted(failed, error instanceof RetryLaterError ? error.delayMs : null);
}

/** Another attempt after `delayMs` (null: the policy's backoff) while attempts are left. */
export function retryOrExhausted(
  { attempts, policy, random }: Pick<FailedAttempt, 'attempts' | 'policy' | 'random'>,
  delayMs: number | null,
): FailureVerdict {
  if (attempts >= policy.attempts) return deadLetter('retries-exhausted');
  const wanted = delayMs ?? retryDelayMs(policy, attempts, random);
  return { kind: 'retry', delayMs: Math.min(Math.max(0, wanted), MAX_LANE_DELAY_MS) };
}

function deadLetter(reason: DeadLetterReason): FailureVerdict {
  return { kind: 'dead-letter', reason };
}
