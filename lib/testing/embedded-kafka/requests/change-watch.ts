import type { PartitionLog } from '../state/partition-log.js';

/** Tells one waiting client that a log of its has changed, its time is over, or it is gone. */
export class ChangeWatch {
  readonly #unsubscribe: readonly (() => void)[];
  readonly #timer: NodeJS.Timeout;
  #hasChanged = false;
  #isOver = false;
  #wake: () => void = () => undefined;

  constructor(
    logs: readonly PartitionLog[],
    maxWaitMs: number,
    private readonly signal: AbortSignal,
  ) {
    this.#unsubscribe = logs.map((log) =>
      log.onChange(() => {
        this.#hasChanged = true;
        this.#wake();
      }),
    );
    this.#timer = setTimeout(this.#end, maxWaitMs);
    signal.addEventListener('abort', this.#end);
    if (signal.aborted) this.#end();
  }

  /** Resolves at the next change, or one since the last call; false when the wait is over. */
  async changed(): Promise<boolean> {
    if (!this.#hasChanged && !this.#isOver) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    this.#hasChanged = false;
    return !this.#isOver;
  }

  close(): void {
    clearTimeout(this.#timer);
    this.signal.removeEventListener('abort', this.#end);
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
  }

  readonly #end = (): void => {
    this.#isOver = true;
    this.#wake();
  };
}
