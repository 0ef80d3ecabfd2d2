import { DeadLetterRequestedError } from '../kafka-events.errors.js';
import { CallSignal } from './call-signal.js';
import { ConsumedEvent } from './consumed-event.js';

/**
 * What a handler knows of the event it is given, beside the payload: `@Ctx() event: EventContext`.
 *
 * Made by the engine; for tests see `createEventContext`.
 */
export class EventContext extends ConsumedEvent {
  /** @internal */
  readonly call = new CallSignal();
  #givenUp: DeadLetterRequestedError | null = null;

  /** Aborted when the handler exceeds its timeout, or the process gives up waiting for it. */
  get signal(): AbortSignal {
    return this.call.signal;
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
}
