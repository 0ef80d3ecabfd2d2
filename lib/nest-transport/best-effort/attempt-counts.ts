const MAX_RECORDS = 1_000;

/** Counts failed attempts of records that Kafka delivers again, in this process alone. */
export class AttemptCounts {
  readonly #failed = new Map<string, number>();

  of(position: string): number {
    return this.#failed.get(position) ?? 0;
  }

  set(position: string, attempts: number): void {
    this.#failed.delete(position);
    this.#failed.set(position, attempts);
    const [oldest] = this.#failed.keys();
    if (this.#failed.size > MAX_RECORDS && oldest !== undefined) this.#failed.delete(oldest);
  }

  forget(position: string): void {
    this.#failed.delete(position);
  }
}
