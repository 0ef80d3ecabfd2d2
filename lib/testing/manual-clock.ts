import { setImmediate as turn } from 'node:timers/promises';
import type { Clock, TimerHandle } from '../contracts/clock.js';

interface Timer {
  readonly dueAt: number;
  readonly fn: () => void;
}

/** A clock that stands still until a test moves it: minutes of backoff pass in no time. */
export class ManualClock implements Clock {
  /** In the order of creation, which decides between timers due at the same moment. */
  private readonly timers = new Set<Timer>();

  constructor(private time = Date.UTC(2025, 0, 1)) {}

  /** How many timers wait: 0 when nothing was left behind. */
  get pending(): number {
    return this.timers.size;
  }

  now(): number {
    return this.time;
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
