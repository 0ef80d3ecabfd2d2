import { ShutdownError } from '../kafka-events.errors.js';

/** Tells the handler in one call that nobody waits for it any more, and remembers why. */
export class CallSignal {
  /** Made when it is needed: most handlers never look at it. */
  #controller: AbortController | undefined;

  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    return this.#controller.signal;
  }

  abort(reason: Error): void {
    this.#controller ??= new AbortController();
    this.#controller.abort(reason);
  }

  get aborted(): boolean {
    return this.#controller?.signal.aborted === true;
  }
  /** Whether the process gave up waiting: what comes after is not the handler's failure. */
  get abandoned(): boolean {
    return this.#controller?.signal.reason instanceof ShutdownError;
  }
}
