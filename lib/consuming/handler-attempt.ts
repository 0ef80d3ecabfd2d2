import type { Clock } from '../contracts/clock.js';
import { isPromise, type MaybePromise } from '../contracts/maybe-promise.js';
import { HandlerTimeoutError, toError } from '../kafka-events.errors.js';
import type { EventContext } from './event-context.js';
import type { BoundHandler } from './event-handler.js';
import type { OwnedPartition } from './owned-partition.js';
import type { RunningHandler, RunningHandlers } from './running-handlers.js';

/** How one call of a handler ended. */
export type AttemptResult =
  | { readonly kind: 'succeeded' }
  | { readonly kind: 'failed'; readonly error: Error }
  /** Twice the timeout is over and the handler has still not come back; it may do so `later`. */
  | { readonly kind: 'overdue'; readonly error: Error; readonly later: Promise<void> };

const SUCCEEDED: AttemptResult = { kind: 'succeeded' };

export interface AttemptSurroundings {
  readonly partition: OwnedPartition;
  readonly running: RunningHandlers;
  readonly clock: Clock;
  readonly onTimeout: () => void;
}

/**
 * Reads the payload and calls a handler once, and waits for it: its signal is aborted after `timeoutMs`, and after twice
 * that it is given up. It is never called again here while its promise is pending.
 */
export function attemptHandler(
  handler: BoundHandler,
  read: () => MaybePromise<unknown>,
  context: EventContext,
  around: AttemptSurroundings,
): MaybePromise<AttemptResult> {
  let returned: MaybePromise<unknown>;
  try {
    const reading = read();
    returned = isPromise(reading)
      ? reading.then((payload) => {
          // Too late to begin: the record may be dead-lettered, or somebody else's, by now.
          if (context.ended)
            throw new HandlerTimeoutError(handler.settings.id, handler.settings.timeoutMs);
          return handler.invoke(payload, context);
        })
      : handler.invoke(reading, context);
  } catch (error) {
    return { kind: 'failed', error: toError(error) };
  }
  return isPromise(returned) ? withinTime(returned, handler, context, around) : SUCCEEDED;
}

function withinTime(
  returned: Promise<unknown>,
  { settings: { id, timeoutMs } }: BoundHandler,
  context: EventContext,
  { partition, running, clock, onTimeout }: AttemptSurroundings,
): Promise<AttemptResult> {
  return new Promise((resolve) => {
    const onDue = (): number | null => {
      const error = new HandlerTimeoutError(id, timeoutMs);
      if (!context.timedOut) {
        onTimeout();
        context.abort(error);
        return clock.now() + timeoutMs;
      }
      running.delete(self);
      resolve({ kind: 'overdue', error, later });
      return null;
    };
    const self: RunningHandler = { context, partition, dueAt: clock.now() + timeoutMs, onDue };
    running.add(self);
    const later = returned.then(
      () => {
        running.delete(self);
        resolve(SUCCEEDED);
      },
      (error: unknown) => {
        running.delete(self);
        resolve({ kind: 'failed', error: toError(error) });
      },
    );
  });
}
