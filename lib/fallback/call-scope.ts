import { setMaxListeners } from 'node:events';

import type { Clock } from '../contracts/clock.js';
import type { Interruption } from '../consuming/semaphore.js';

/** Why a call was ended before its answer: its time was up, its caller gave up, or the application stops. */
export type CallEnd = 'deadline' | 'cancelled' | 'shutdown';

/** One call's time: whatever it waits for ends at its deadline, with its caller, or with the application. */
export class CallScope implements Interruption {
  readonly #controller = new AbortController();
  readonly #release: () => void;
  #ended: CallEnd | null = null;

  /**
   * @param deadline by `Clock.now`; a timer is set for it until `close`.
   * @param callers each aborted when its side does not want the answer any more.
   */
  constructor(
    readonly deadline: number,
    private readonly clock: Clock,
    callers: readonly AbortSignal[] = [],
  ) {
    const leftMs = Math.max(0, deadline - clock.now());
    const timer = clock.setTimeout(() => {
      this.end('deadline');
    }, leftMs);
    const onCancel = () => {
      this.end('cancelled');
    };
    // Many calls may have one caller. That is no leak: each lets go of it when it ends.
    if (callers.length > 0) setMaxListeners(0, ...callers);
    for (const caller of callers) caller.addEventListener('abort', onCancel);
    this.#release = () => {
      clock.clearTimeout(timer);
      for (const caller of callers) caller.removeEventListener('abort', onCancel);
    };
    if (callers.some(({ aborted }) => aborted)) onCancel();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Why it ended; null while it has not. */
  get ended(): CallEnd | null {
    return this.#ended;
  }

  get leftMs(): number {
    return this.deadline - this.clock.now();
  }

  /** Ends all waits; the first reason counts. */
  end(why: CallEnd): void {
    if (this.#ended !== null) return;
    this.#ended = why;
    this.#release();
    this.#controller.abort(new Error(`the call was ended: ${why}`));
  }

  onInterrupt(fn: () => void): () => void {
    const { signal } = this.#controller;
    if (signal.aborted) {
      fn();
      return () => undefined;
    }
    signal.addEventListener('abort', fn);
    return () => {
      signal.removeEventListener('abort', fn);
    };
  }

  /** What the promise settles with; rejects when the scope ends first, whatever becomes of the promise. */
  within<T>(promise: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const release = this.onInterrupt(() => {
        reject(new Error('ended before its answer came'));
      });
      promise.finally(release).then(resolve, reject);
    });
  }

  /** Waits so long; false when the scope ends first. */
  wait(ms: number): Promise<boolean> {
    return new Promise((resolve) => {
      const timer = this.clock.setTimeout(() => {
        release();
        resolve(true);
      }, ms);
      const release = this.onInterrupt(() => {
        this.clock.clearTimeout(timer);
        resolve(false);
      });
    });
  }

  /** To be called when the call is over, however it ended. */
  close(): void {
    this.#release();
  }
}
