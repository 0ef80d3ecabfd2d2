import { toError } from '../kafka-events.errors.js';
import type { ErrorClass, ErrorSchedule, RetryPolicy } from './retry-policy.js';

/**
 * The policy for one error: that of the first schedule it fits, over the handler's own.
 *
 * @param onFailure told what a schedule's `when` threw; that schedule does not fit then.
 */
export function policyFor(
  policy: RetryPolicy,
  error: Error,
  onFailure: (thrown: Error) => void,
): RetryPolicy {
  const schedule = policy.schedules?.find(({ when }) => fits(when, error, onFailure));
  return schedule === undefined ? policy : { ...policy, ...schedule };
}

function fits(
  when: ErrorSchedule['when'],
  error: Error,
  onFailure: (thrown: Error) => void,
): boolean {
  if (isErrorClass(when)) return error instanceof when;
  try {
    return when(error);
  } catch (thrown) {
    onFailure(toError(thrown));
    return false;
  }
}

function isErrorClass(when: ErrorSchedule['when']): when is ErrorClass {
  return when === Error || when.prototype instanceof Error;
}
