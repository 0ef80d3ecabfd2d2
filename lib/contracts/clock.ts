/** What a pending timer is known by; opaque to everyone but the clock that made it. */
export type TimerHandle = object;

/**
 * Time as the engine sees it, so that tests can move it by hand.
 *
 * Durations go by `now()`: the time of day is set while a process runs, by hand, by NTP, or when a virtual machine
 * wakes up, and what measures by it ends an hour late, or at once. The two are of different types, so that
 * they cannot be compared by mistake.
 */
export interface Clock {
  /**
   * Whole milliseconds of a clock that is never set and never goes back. It says how long ago something was in
   * this process, and nothing else: it is never sent, stored or shown.
   */
  now(): number;
  /** What time it is, for what leaves the process or comes from outside: it may jump, in both directions. */
  wallTime(): Date;
  setTimeout(fn: () => void, ms: number): TimerHandle;
  clearTimeout(handle: TimerHandle): void;
}

/** Waits so long, whatever happens. */
export function sleep(clock: Pick<Clock, 'setTimeout'>, ms: number): Promise<void> {
  return new Promise((resolve) => {
    clock.setTimeout(resolve, ms);
  });
}

/** The process's own clock. */
export const systemClock: Clock = {
  // Where the system is suspended this stands still on Linux, as timers do.
  now: () => Math.floor(performance.timeOrigin + performance.now()),
  wallTime: () => new Date(),
  setTimeout: (fn, ms) => setTimeout(fn, ms),
  clearTimeout: (handle) => {
    clearTimeout(handle as NodeJS.Timeout);
  },
};
