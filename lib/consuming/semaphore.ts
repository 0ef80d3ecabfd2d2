/** Something that may cut a wait short; see `OwnedPartition`. */
export interface Interruption {
  /** Calls `fn` once when waits must end; answers how to unsubscribe. */
  onInterrupt(fn: () => void): () => void;
}

/** A counted permit with waiters in order of arrival. */
export class Semaphore {
  #free: number;
  readonly #waiters = new Set<() => void>();

  /**
   * @param onFree called whenever a permit is left over after the waiters were served.
   */
  constructor(
    readonly limit: number,
    private readonly onFree: () => void = () => undefined,
  ) {
    this.#free = limit;
  }

  get inUse(): number {
    return this.limit - this.#free;
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
    if (next !== undefined) {
      this.#waiters.delete(next);
      next();
      return;
    }
    this.#free++;
    this.onFree();
  }
}
