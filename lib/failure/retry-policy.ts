/** How failed attempts are repeated. */
export interface RetryOptions {
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

/** Retry options with every default filled in. */
export type RetryPolicy = Readonly<Required<RetryOptions>>;

/** The longest a record may wait inside its lane before the next attempt. */
export const MAX_LANE_DELAY_MS = 30_000;

export const DEFAULT_RETRY = {
  attempts: 5,
  initialDelayMs: 100,
  factor: 2,
  maxDelayMs: MAX_LANE_DELAY_MS,
  jitter: 0.5,
} satisfies RetryPolicy;

/** Keeps the delay a number however often something fails: 0 × Infinity is none. */
const MAX_EXPONENT = 64;

/**
 * The delay before the attempt that follows `failedAttempts` failures, in milliseconds.
 *
 * @param random a number in [0, 1), as `Math.random` gives.
 */
export function retryDelayMs(policy: RetryPolicy, failedAttempts: number, random: number): number {
  const exponential =
    policy.initialDelayMs *
    policy.factor ** Math.min(Math.max(0, failedAttempts - 1), MAX_EXPONENT);
  const capped = Math.min(exponential, policy.maxDelayMs);
  return Math.round(capped * (1 - policy.jitter * random));
}
