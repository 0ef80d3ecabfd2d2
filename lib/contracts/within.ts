import { systemClock, type Clock } from './clock.js';

/** Waits for a promise, but not longer than that; true when it was in time. Rejections count as done. */
export function withinMs(
  promise: Promise<unknown>,
  ms: number,
  clock: Clock = systemClock,
): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = clock.setTimeout(() => {
      resolve(false);
    }, ms);
    const done = (): void => {
      clock.clearTimeout(timer);
      resolve(true);
    };
    promise.then(done, done);
  });
}
