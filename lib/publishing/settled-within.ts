import type { Clock, TimerHandle } from '../contracts/clock.js';

/** Waits for a promise that does not reject, but no longer than `ms`; false when it was not ready. */
export async function settledWithin(
  promise: Promise<unknown>,
  ms: number,
  clock: Clock,
): Promise<boolean> {
  let timer: TimerHandle;
  const timeout = new Promise<false>((resolve) => {
    timer = clock.setTimeout(() => {
      resolve(false);
    }, ms);
  });
  const inTime = await Promise.race([promise.then(() => true), timeout]);
  clock.clearTimeout(timer);
  return inTime;
}
