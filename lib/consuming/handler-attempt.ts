import type { Clock } from '../contracts/clock.js';
import { isPromise, type MaybePromise } from '../contracts/maybe-promise.js';
import { HandlerTimeoutError, toError } from '../kafka-events.errors.js';
import type { EventContext } from './event-context.js';
import type { BoundHandler } from './event-handler.js';

/** How one call of a handler ended. */
export type AttemptResult =
  | { readonly kind: 'succeeded' }
  | { readonly kind: 'failed'; readonly error: Error }
  /** Twice the timeout is over and the handler has still not come back; it may do so `later`. */
  | { readonly kind: 'overdue'; readonly error: Error; readonly later: Promise<void> };

const SUCCEEDED: AttemptResult = { kind: 'succeeded' };

/**
 * Calls a handler once and waits for it: its signal is aborted after `timeoutMs`, and after twice
 * that it is given up. It is never called again here while its promise is pending.
 */
export function attemptHandler(
  handler: BoundHandler,
  payload: unknown,
  context: EventContext,
  clock: Clock,
  onTimeout: () => void,
): MaybePromise<AttemptResult> {
  let returned: MaybePromise<unknown>;
  try {
    returned = handler.invoke(payload, context);
  } catch (error) {
    return { kind: 'failed', error: toError(error) };
  }
  if (!isPromise(returned)) return SUCCEEDED;
  return withinTime(returned, handler, context, clock, onTimeout);
}

function withinTime(
  returned: Promise<unknown>,
  handler: BoundHandler,
  context: EventContext,
  clock: Clock,
  onTimeout: () => void,
): Promise<AttemptResult> {
  const { id, timeoutMs } = handler.settings;
  return new Promise((resolve) => {
    const later = returned.then(
      () => {
        clock.clearTimeout(timer);
        resolve(SUCCEEDED);
      },
      (error: unknown) => {
        clock.clearTimeout(timer);
        resolve({ kind: 'failed', error: toError(error) });
      },
    );
    let timer = clock.setTimeout(() => {
      const error = new HandlerTimeoutError(id, timeoutMs);
      onTimeout();
      timer = clock.setTimeout(() => {
        resolve({ kind: 'overdue', error, later });
      }, timeoutMs);
      context.abort(error);
    }, timeoutMs);
  });
}
