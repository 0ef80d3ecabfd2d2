import type { EventContract } from '../contracts/event-contract.js';
import type { MaybePromise } from '../contracts/maybe-promise.js';
import type { EventContext } from './event-context.js';
import type { EventOutcome } from './event-outcome.js';
import type { HandlerSettings } from './handler-options.js';

/** A guard answered `false`: nobody's fault but the event's, so it is dead-lettered at once. */
export type InvocationFault = 'rejected-by-guard' | 'rejected-by-pipe' | 'body';

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
