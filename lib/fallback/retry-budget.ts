/** Retries that may be saved up, so that a few failures after a quiet time can all be repeated. */
const SAVINGS = 10;

/**
 * What retries may add to the calls of a service: each call earns a share of one, each retry spends one. A
 * service in trouble then gets that much more load, and not a multiple.
 */
export class RetryBudget {
  #saved = SAVINGS;

  /** @param share retries per call, 0 or more. */
  constructor(private readonly share: number) {}

  earn(): void {
    this.#saved = Math.min(SAVINGS, this.#saved + this.share);
  }

  /** False when there is none left. */
  spend(): boolean {
    if (this.#saved < 1 || this.share === 0) return false;
    this.#saved--;
    return true;
  }
}
