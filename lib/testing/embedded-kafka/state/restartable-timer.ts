import type { Clock, TimerHandle } from '../../../contracts/clock.js';

/** At most one pending call: starting it again replaces the one before. */
export class RestartableTimer {
  #handle: TimerHandle | null = null;

  constructor(private readonly clock: Clock) {}

  start(ms: number, fn: () => void): void {
    this.cancel();
    this.#handle = this.clock.setTimeout(() => {
      this.#handle = null;
      fn();
    }, ms);
  }

  cancel(): void {
    if (this.#handle !== null) this.clock.clearTimeout(this.#handle);
    this.#handle = null;
  }
}
