/**
 * The bytes that unsettled records of all groups of this process may hold together. Records of retry
 * topics have a budget of their own: they wait for long, and must not keep others from being fetched.
 */
export class BufferBudget {
  #used = 0;
  #sharers = 0;

  constructor(private readonly limit: number) {}

  get used(): number {
    return this.#used;
  }

  /** A partition comes to share the budget, or goes. */
  join(): void {
    this.#sharers++;
  }
  leave(): void {
    this.#sharers--;
  }

  take(bytes: number): void {
    this.#used += bytes;
  }
  give(bytes: number): void {
    this.#used -= bytes;
  }

  /** True when the budget is spent and a partition holding `bytes` has at least its fair share of it. */
  exceededBy(bytes: number): boolean {
    return this.#used >= this.limit && bytes >= this.limit / Math.max(1, this.#sharers);
  }
}
