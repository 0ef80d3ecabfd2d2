import { ShutdownError } from '../kafka-events.errors.js';

/** Subscribes to what else ends a wait, with the error to reject with; answers how to unsubscribe. */
export type EndsWait = (reject: (error: Error) => void) => () => void;

/** Those who wait for a view to come so far; they are asked again whenever something has moved. */
export class ViewWaits {
  readonly #waiting = new Set<() => void>();
  #hurried = 0;
  #over = false;

  /** @param onWait called whenever somebody begins to wait. */
  constructor(private readonly onWait: () => void) {}

  /** Whether somebody waits for whom it is worth looking often. */
  get areHurried(): boolean {
    return this.#hurried > 0;
  }

  /**
   * Resolves when `isMet` answers true.
   *
   * @param isHurried whether to look often meanwhile.
   * @throws ShutdownError when the application stops first; what `onEnd` rejects with.
   */
  until(
    isMet: () => boolean,
    isHurried: boolean,
    onEnd: EndsWait = () => () => undefined,
  ): Promise<void> {
    if (isMet()) return Promise.resolve();
    if (this.#over) return Promise.reject(new ShutdownError());
    return new Promise((resolve, reject) => {
      const end = (): void => {
        // What ends it may come more than once.
        if (!this.#waiting.delete(check)) return;
        if (isHurried) this.#hurried--;
        unsubscribe();
      };
      const check = (): void => {
        const met = isMet();
        if (!met && !this.#over) return;
        end();
        if (met) resolve();
        else reject(new ShutdownError());
      };
      this.#waiting.add(check);
      if (isHurried) this.#hurried++;
      const unsubscribe = onEnd((error) => {
        end();
        reject(error);
      });
      this.onWait();
    });
  }

  /** Something has moved. */
  moved(): void {
    for (const check of [...this.#waiting]) check();
  }

  /** Nothing moves any more. */
  end(): void {
    this.#over = true;
    this.moved();
  }
}
