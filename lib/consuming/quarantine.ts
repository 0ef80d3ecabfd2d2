import type { HandlerRef } from '../observability/observer.js';
import type { Interruption } from './semaphore.js';

/**
 * Lets a suspect run while no other handler of this process does, in whatever group.
 *
 *     open ──enter──▶ closed, emptying ──nothing runs──▶ closed, occupied ──leave──▶ open
 *                                                               └──leave, another waits──▶ closed, …
 *
 * While it is closed nothing else starts; what runs ends within twice its timeout. Suspects take
 * turns. Every wait ends with the partition's right to run.
 */
export class Quarantine {
  #running = 0;
  #closed = false;
  #suspect: HandlerRef | null = null;
  readonly #turns = new Set<() => void>();
  readonly #emptied = new Set<() => void>();
  readonly #opened = new Set<() => void>();

  /** Whether others must not start now. */
  get closed(): boolean {
    return this.#closed;
  }

  /** For whom everything else waits; null when nothing does. */
  get suspect(): HandlerRef | null {
    return this.#suspect;
  }

  /** Marks the begin and the end of a handler's run. */
  began(): void {
    this.#running++;
  }
  ended(): void {
    this.#running--;
    if (this.#running === 0 && this.#closed) notify(this.#emptied);
  }

  /** Closes it and waits until nothing else runs; false, without it, when interrupted first. */
  async enter(suspect: HandlerRef, interruption: Interruption): Promise<boolean> {
    if (this.#closed && !(await waitIn(this.#turns, interruption))) return false;
    this.#closed = true;
    this.#suspect = suspect;
    if (this.#running === 0 || (await waitIn(this.#emptied, interruption))) return true;
    this.leave();
    return false;
  }

  /** The next suspect's turn, or everybody's. */
  leave(): void {
    this.#suspect = null;
    const [next] = this.#turns;
    if (next !== undefined) {
      next();
      return;
    }
    this.#closed = false;
    notify(this.#opened);
  }

  /** Waits until others may start; false when interrupted first. */
  async whenOpen(interruption: Interruption): Promise<boolean> {
    while (this.#closed) if (!(await waitIn(this.#opened, interruption))) return false;
    return true;
  }
}

function waitIn(waiting: Set<() => void>, interruption: Interruption): Promise<boolean> {
  return new Promise((resolve) => {
    const wake = (): void => {
      waiting.delete(wake);
      unsubscribe();
      resolve(true);
    };
    waiting.add(wake);
    const unsubscribe = interruption.onInterrupt(() => {
      if (waiting.delete(wake)) resolve(false);
    });
  });
}

function notify(waiting: Set<() => void>): void {
  for (const wake of [...waiting]) wake();
}
