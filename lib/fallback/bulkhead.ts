import { Semaphore, type Interruption } from '../consuming/semaphore.js';

/** How many calls of one service may be under way at once, so that a slow one takes no more than its share. */
export interface BulkheadOptions {
  /** Default 32. */
  readonly maxConcurrent?: number;
  /** More than these do not wait for their turn, but are refused. Default 64. */
  readonly maxQueued?: number;
}

export type BulkheadPolicy = Readonly<Required<BulkheadOptions>>;

/** Whether a call may start: not when the line was full, nor when it gave up waiting in it. */
export type Entrance = 'entered' | 'full' | 'interrupted';

/** A counted number of places for calls under way, and a line of bounded length in front of them. */
export class Bulkhead {
  readonly #places: Semaphore;
  #queued = 0;

  constructor(readonly policy: BulkheadPolicy) {
    this.#places = new Semaphore(policy.maxConcurrent);
  }

  get inFlight(): number {
    return this.#places.inUse;
  }

  get queued(): number {
    return this.#queued;
  }

  /** Waits for a place, in order of arrival; each entrance is followed by one `leave`. */
  async enter(interruption: Interruption): Promise<Entrance> {
    if (this.#places.tryAcquire()) return 'entered';
    if (this.#queued >= this.policy.maxQueued) return 'full';
    this.#queued++;
    try {
      return (await this.#places.acquire(interruption)) ? 'entered' : 'interrupted';
    } finally {
      this.#queued--;
    }
  }

  leave(): void {
    this.#places.release();
  }
}
