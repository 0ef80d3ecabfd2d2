import type { HandlerRef } from '../observability/observer.js';

/** How often something is tried, and what is waited in between. */
export interface RetrySchedule {
  /** Attempts in all, the first one included. Default 5. */
  readonly attempts?: number;
  /** Delay before the second attempt, in milliseconds. Default 100. */
  readonly initialDelayMs?: number;
  /** What each further delay is multiplied by. Default 2. */
  readonly factor?: number;
  /** No delay is longer, in milliseconds. Default 30 s, which is also the most allowed in a lane. */
  readonly maxDelayMs?: number;
  /** Share of the delay that is random, 0 to 1. Default 0.5: between half the delay and all of it. */
  readonly jitter?: number;
}

/** How failed attempts are repeated. */
export interface RetryOptions extends RetrySchedule {
  /**
   * Says what becomes of an error; `undefined` leaves it to the engine. `'retry'` takes it for the
   * world's fault even where a guard or a pipe refused the event, and attempts still count;
   * `'dead-letter'` gives up at once, reason `non-retryable`. Not asked of a NonRetryableEventError, a
   * RetryLaterError, `event.deadLetter()`, nor of payloads that cannot be read or break their contract.
   *
   * It must answer at once. What it throws is reported (`classifyFailed`) and counts as `undefined`.
   */
  readonly classify?: (error: Error, failure: FailedDelivery) => FailureClass | undefined;
  /**
   * Schedules of their own for some errors; the first whose `when` fits counts. Attempts are counted
   * in all, whichever errors they failed with.
   */
  readonly schedules?: readonly ErrorSchedule[];
}

/** What `classify` may say of an error. */
export type FailureClass = 'retry' | 'dead-letter';

/**
 * Where in a handler's call an error came from. A guard that answered `false` and a pipe that
 * refused the payload blame the event; everything else may be the world's fault and is retried.
 */
export type InvocationFault = 'rejected-by-guard' | 'rejected-by-pipe' | 'body';

/** The delivery that failed, for `classify`. */
export interface FailedDelivery extends HandlerRef {
  /** 1 for the first attempt. */
  readonly attempt: number;
  readonly fault: InvocationFault;
}

/** Any class of errors, abstract ones included. */
export type ErrorClass = abstract new (...args: never[]) => Error;

/** A schedule for some errors; what it does not say is as for all others of the handler. */
export interface ErrorSchedule extends RetrySchedule {
  /** A class of errors, or a function that answers true for them. */
  readonly when: ErrorClass | ((error: Error) => boolean);
  /** In place of the handler's `retryTopic`, which says what that means. */
  readonly retryTopic?: RetryTopicOptions | false;
}

/** How a record goes on when its attempts in the lane are spent: see `retryTopic` of a handler. */
export interface RetryTopicOptions {
  /**
   * What it waits for in the retry topic before each further attempt, in milliseconds, up to a day
   * each. After the last it is dead-lettered. An empty list parks nothing more, but what is parked
   * still comes back: leave that for as long as something may be.
   */
  readonly delaysMs: readonly number[];
}

/** A schedule with every default filled in. */
export type RetryPace = Readonly<Required<RetrySchedule>>;

/** Retry options with every default filled in; `retryTopic` where a schedule has one of its own. */
export type RetryPolicy = RetryPace &
  Pick<RetryOptions, 'classify' | 'schedules'> &
  Pick<ErrorSchedule, 'retryTopic'>;

/** The longest a record may wait inside its lane before the next attempt. */
export const MAX_LANE_DELAY_MS = 30_000;

/** The longest a record may wait in a retry topic; a longer wish is cut. */
export const MAX_PARKED_MS = 24 * 60 * 60_000;

export const DEFAULT_RETRY = {
  attempts: 5,
  initialDelayMs: 100,
  factor: 2,
  maxDelayMs: MAX_LANE_DELAY_MS,
  jitter: 0.5,
} satisfies RetryPace;

/** Keeps the delay a number however often something fails: 0 × Infinity is none. */
const MAX_EXPONENT = 64;

/**
 * The delay before the attempt that follows `failedAttempts` failures, in milliseconds.
 *
 * @param random a number in [0, 1), as `Math.random` gives.
 */
export function retryDelayMs(policy: RetryPace, failedAttempts: number, random: number): number {
  const exponential =
    policy.initialDelayMs *
    policy.factor ** Math.min(Math.max(0, failedAttempts - 1), MAX_EXPONENT);
  const capped = Math.min(exponential, policy.maxDelayMs);
  return Math.round(capped * (1 - policy.jitter * random));
}
