import {
  DeadLetterRequestedError,
  HandlerTimeoutError,
  ShutdownError,
} from '../kafka-events.errors.js';
import { ConsumedEvent } from './consumed-event.js';

/**
 * What a handler knows of the event it is given, beside the payload: `@Ctx() event: EventContext`.
 *
 * Made by the engine; for tests see `createEventContext`.
 */
export class EventContext extends ConsumedEvent {
  #abort: AbortController | undefined;
  #givenUp: DeadLetterRequestedError | null = null;

  /** Aborted when the handler exceeds its timeout, or the process gives up waiting for it. */
  get signal(): AbortSignal {
    this.#abort ??= new AbortController();
    return this.#abort.signal;
  }

  /** Gives up on the record: dead letter, reason `handler-requested`. */
  deadLetter(reason: string): never {
    this.#givenUp = new DeadLetterRequestedError(reason);
    throw this.#givenUp;
  }

  /** @internal What `deadLetter` threw: others may have put another error in its place. */
  get givenUp(): DeadLetterRequestedError | null {
    return this.#givenUp;
  }

  /** @internal Whether the process gave up waiting: what comes after is not the handler's failure. */
  get abandoned(): boolean {
    return this.#abort?.signal.reason instanceof ShutdownError;
  }

  /** @internal Whether its signal is aborted. */
  get ended(): boolean {
    return this.#abort?.signal.aborted === true;
  }

  /** @internal Whether the handler's time is up. */
  get timedOut(): boolean {
    return this.#abort?.signal.reason instanceof HandlerTimeoutError;
  }

  /** @internal */
  abort(reason: Error): void {
    this.#abort ??= new AbortController();
    this.#abort.abort(reason);
  }
}
