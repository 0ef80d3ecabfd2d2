import type { Clock } from '../../contracts/clock.js';

/** What one statement looks at: it holds locks meanwhile, and its deletions are one burst for the disk. */
const AT_MOST = 1_000;

/** How often one process looks for what is over; others that share the table look as well. */
const EVERY_MS = 10_000;

/**
 * Removes what is over beside the work, in small portions: nothing waits for it, and where nothing is
 * claimed nothing is removed.
 */
export class Sweeper {
  #sweptAt = -Infinity;
  #sweeping: Promise<void> | null = null;
  #closed = false;

  /** @param sweep answers how many entries it looked at. */
  constructor(
    private readonly sweep: (atMost: number) => Promise<number>,
    private readonly clock: Clock,
  ) {}

  /** Sweeps if it is time. */
  nudge(): void {
    if (this.#sweeping !== null || this.#closed) return;
    if (this.clock.now() - this.#sweptAt < EVERY_MS) return;
    this.#sweptAt = this.clock.now();
    this.#sweeping = this.#sweepAll().finally(() => {
      this.#sweeping = null;
    });
  }

  /** Resolves when the portion at work is done. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#sweeping;
  }

  async #sweepAll(): Promise<void> {
    try {
      while ((await this.sweep(AT_MOST)) === AT_MOST && !this.#isClosed()) continue;
    } catch {
      // Whoever claims is told of a database that is away; what is over waits for the next time.
    }
  }

  #isClosed(): boolean {
    return this.#closed;
  }
}
