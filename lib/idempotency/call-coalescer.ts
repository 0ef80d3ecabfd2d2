import type { MaybePromise } from '../contracts/maybe-promise.js';

interface Waiting<Request, Answer> {
  readonly request: Request;
  readonly resolve: (answer: Answer | undefined) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Turns single calls into calls for many: what is asked in one turn of the event loop goes out
 * together. A call that fails fails everything it carried.
 */
export class CallCoalescer<Request, Answer> {
  #waiting: Waiting<Request, Answer>[] = [];

  constructor(
    private readonly callMany: (requests: readonly Request[]) => MaybePromise<readonly Answer[]>,
  ) {}

  call(request: Request): Promise<Answer | undefined> {
    return new Promise((resolve, reject) => {
      if (this.#waiting.length === 0) setImmediate(() => void this.#flush());
      this.#waiting.push({ request, resolve, reject });
    });
  }

  async #flush(): Promise<void> {
    const waiting = this.#waiting;
    this.#waiting = [];
    try {
      const answers = await this.callMany(waiting.map(({ request }) => request));
      waiting.forEach(({ resolve }, i) => {
        resolve(answers[i]);
      });
    } catch (error) {
      for (const { reject } of waiting) reject(error);
    }
  }
}
