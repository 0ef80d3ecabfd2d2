/** What the broker has promised to keep or to hide, and what was read of it. */
export class Ledger {
  #lastId = 0;
  readonly #acknowledged = new Set<number>();
  readonly #aborted = new Set<number>();
  readonly #read = new Set<number>();

  /** Numbers that no other record has. */
  newIds(count: number): number[] {
    return Array.from({ length: count }, () => ++this.#lastId);
  }

  acknowledged(ids: readonly number[]): void {
    for (const id of ids) this.#acknowledged.add(id);
  }

  aborted(ids: readonly number[]): void {
    for (const id of ids) this.#aborted.add(id);
  }

  read(id: number): void {
    this.#read.add(id);
  }

  get promised(): number {
    return this.#acknowledged.size;
  }

  /** Acknowledged, and not read yet. */
  get missing(): number[] {
    return [...this.#acknowledged].filter((id) => !this.#read.has(id));
  }

  /** Read, although their transaction was aborted. */
  get ghosts(): number[] {
    return [...this.#aborted].filter((id) => this.#read.has(id));
  }
}
