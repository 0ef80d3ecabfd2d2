/** What may be wrong with a view: the latest round, the joining of a group, a change of rows, or the log itself. */
export type Trouble = 'round' | 'join' | 'change' | 'log';

/** What is wrong with one view now. */
export class ViewTroubles {
  readonly #errors = new Map<Trouble, Error>();

  /** @param onError told each time, also when that is wrong already. */
  constructor(private readonly onError: (error: Error) => void) {}

  /** The first of them; null when all is well. */
  get first(): Error | null {
    const [first = null] = this.#errors.values();
    return first;
  }

  has(trouble: Trouble): boolean {
    return this.#errors.has(trouble);
  }

  /** @param error null when it went well. */
  note(trouble: Trouble, error: Error | null): void {
    if (error === null) {
      this.#errors.delete(trouble);
      return;
    }
    this.#errors.set(trouble, error);
    this.onError(error);
  }
}
