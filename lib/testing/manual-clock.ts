import { setImmediate as turn } from 'node:timers/promises';
import type { Clock, TimerHandle } from '../contracts/clock.js';

interface Timer {
  readonly dueAt: number;
  readonly fn: () => void;
}

/** Where `now()` begins: not at the time of day, so that whoever takes it for that is found out. */
const BEGIN = 1_000_000;

/**
 * A clock that stands still until a test moves it: minutes of backoff pass in no time.
 *
 * `now()` and the time of day go forward together; `stepWallTime` sets the latter alone.
 */
export class ManualClock implements Clock {
  /** In the order of creation, which decides between timers due at the same moment. */
  private readonly timers = new Set<Timer>();

  private time = BEGIN;
  /** What time of day it was when `now()` was 0. */
  private origin: number;

  /** @param wallTime what time it is at first, in milliseconds since the Unix epoch. */
  constructor(wallTime = Date.UTC(2025, 0, 1)) {
    this.origin = wallTime - BEGIN;
  }

  /** How many timers wait: 0 when nothing was left behind. */
  get pending(): number {
    return this.timers.size;
  }

  now(): number {
    return this.time;
  }

  wallTime(): Date {
    return new Date(this.origin + this.time);
  }

  /** Sets the time of day forward, or back where it is negative, as NTP may do; no timer takes notice. */
  stepWallTime(ms: number): void {
    this.origin += ms;
  }

  setTimeout(fn: () => void, ms: number): TimerHandle {
    const timer: Timer = { dueAt: this.time + Math.max(0, ms), fn };
    this.timers.add(timer);
    return timer;
  }

  clearTimeout(handle: TimerHandle): void {
    this.timers.delete(handle as Timer);
  }

  /** Moves time forward, running what falls due on the way at the moment it falls due. */
  advance(ms: number): void {
    const target = this.time + ms;
    while (this.runNext(target));
    this.time = target;
  }

  /** Like `advance`, but lets promises settle before and after each timer. */
  async advanceAsync(ms: number): Promise<void> {
    const target = this.time + ms;
    do await turn();
    while (this.runNext(target));
    this.time = target;
  }

  private runNext(until: number): boolean {
    let next: Timer | undefined;
    for (const timer of this.timers) {
      if (timer.dueAt <= until && (next === undefined || timer.dueAt < next.dueAt)) next = timer;
    }
    if (next === undefined) return false;
    this.timers.delete(next);
    this.time = Math.max(this.time, next.dueAt);
    next.fn();
    return true;
  }
}
