/** Something that may cut a wait short; see `OwnedPartition`. */
export interface Interruption {
  /** Calls `fn` once when waits must end; answers how to unsubscribe. */
  onInterrupt(fn: () => void): () => void;
}

/** A counted permit with waiters in order of arrival. */
export class Semaphore {
  /** Below zero while more are in use than the limit allows now. */
  #free: number;
  #limit: number;
  readonly #waiters = new Set<() => void>();

  /**
   * @param onFree called whenever a permit is left over after the waiters were served.
   */
  constructor(
    limit: number,
    private readonly onFree: () => void = () => undefined,
  ) {
    this.#free = this.#limit = limit;
  }

  get inUse(): number {
    return this.#limit - this.#free;
  }

  /** Changes how many permits there are; 0 for none. Those in use stay in use. */
  resize(limit: number): void {
    this.#free += limit - this.#limit;
    this.#limit = limit;
    for (const next of this.#waiters) {
      if (this.#free <= 0) return;
      this.#free--;
      this.#waiters.delete(next);
      next();
    }
    if (this.#free > 0) this.onFree();
  }

  /** True when `tryAcquire` would succeed. */
  get available(): boolean {
    return this.canSpare(0);
  }

  /** True when `tryAcquire` would leave at least so many permits. */
  canSpare(kept: number): boolean {
    return this.#free > kept && this.#waiters.size === 0;
  }

  tryAcquire(): boolean {
    if (!this.available) return false;
    this.#free--;
    return true;
  }

  /** Waits for a permit; answers false, without one, when interrupted first. */
  acquire(interruption: Interruption): Promise<boolean> {
    if (this.tryAcquire()) return Promise.resolve(true);
    return new Promise((resolve) => {
      const granted = (): void => {
        unsubscribe();
        resolve(true);
      };
      this.#waiters.add(granted);
      const unsubscribe = interruption.onInterrupt(() => {
        if (this.#waiters.delete(granted)) resolve(false);
      });
    });
  }

  release(): void {
    const [next] = this.#waiters;
    if (next !== undefined && this.#free >= 0) {
      this.#waiters.delete(next);
      next();
      return;
    }
    this.#free++;
    if (this.#free > 0) this.onFree();
  }
}
