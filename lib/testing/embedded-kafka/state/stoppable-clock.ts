import type { Clock, TimerHandle } from '../../../contracts/clock.js';

/** Another clock's time, with timers that can all be given up at once. */
export class StoppableClock implements Clock {
  readonly #pending = new Set<TimerHandle>();
  #stopped = false;

  constructor(private readonly clock: Clock) {}

  now(): number {
    return this.clock.now();
  }

  wallTime(): Date {
    return this.clock.wallTime();
  }

  setTimeout(fn: () => void, ms: number): TimerHandle {
    if (this.#stopped) return {};
    const handle = this.clock.setTimeout(() => {
      this.#pending.delete(handle);
      fn();
    }, ms);
    this.#pending.add(handle);
    return handle;
  }

  clearTimeout(handle: TimerHandle): void {
    if (this.#pending.delete(handle)) this.clock.clearTimeout(handle);
  }

  /** No timer runs any more, neither pending nor new. */
  stop(): void {
    this.#stopped = true;
    for (const handle of this.#pending) this.clock.clearTimeout(handle);
    this.#pending.clear();
  }
}
