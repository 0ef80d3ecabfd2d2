import type { Clock, TimerHandle } from '../contracts/clock.js';

/** Node fires timers beyond this at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/**
 * One timer for many deadlines: wakes its owner at the earliest one it was armed with.
 *
 * It may wake the owner early; the owner looks at its deadlines and arms it for what is left.
 */
export class EarliestTimer {
  #dueAt = Infinity;
  #handle: TimerHandle | null = null;

  constructor(
    private readonly clock: Clock,
    private readonly onDue: () => void,
  ) {}

  /** @param dueAt by `Clock.now`; `Infinity` is never due. */
  arm(dueAt: number): void {
    if (dueAt >= this.#dueAt) return;
    this.disarm();
    this.#dueAt = dueAt;
    const delayMs = Math.min(Math.max(0, dueAt - this.clock.now()), MAX_TIMER_MS);
    this.#handle = this.clock.setTimeout(() => {
      this.#dueAt = Infinity;
      this.onDue();
    }, delayMs);
  }

  disarm(): void {
    if (this.#dueAt === Infinity) return;
    this.#dueAt = Infinity;
    if (this.#handle !== null) this.clock.clearTimeout(this.#handle);
  }
}
