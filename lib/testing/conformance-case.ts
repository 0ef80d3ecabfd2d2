/** One case of a conformance suite: register it with any runner, `for (const c of cases) it(c.name, c.run)`. */
export interface ConformanceCase {
  readonly name: string;
  /** Resolves when the implementation keeps the promise the name states; rejects with what it does instead. */
  readonly run: () => Promise<void>;
}
