import type { EventContract } from '../contracts/event-contract.js';
import type { MaybePromise } from '../contracts/maybe-promise.js';
import type { InvocationFault } from '../failure/classify-failure.js';
import type { EventContext } from './event-context.js';
import type { EventOutcome } from './event-outcome.js';
import type { HandlerSettings } from './handler-options.js';

/** A handler as the pipeline sees it; the Nest edge makes these from decorated methods. */
export interface BoundHandler {
  readonly settings: HandlerSettings;
  /** The events it takes; at least one. */
  readonly contracts: readonly EventContract[];
  /** Runs guards, pipes, interceptors and the method; rejects with what they threw, unchanged. */
  invoke(payload: unknown, context: EventContext): MaybePromise<unknown>;
  /** Tells where an error thrown by `invoke` came from. */
  faultOf(error: Error): InvocationFault;
  /**
   * Shows a failure to the exception filters that catch it. Answers the outcome one of them
   * returned, or null. Never rejects: a filter that fails is reported to `onFilterError`.
   */
  filter(
    error: Error,
    payload: unknown,
    context: EventContext,
    onFilterError: (error: Error) => void,
  ): MaybePromise<EventOutcome | null>;
}
