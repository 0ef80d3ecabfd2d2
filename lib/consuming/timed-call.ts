import type { Clock } from '../contracts/clock.js';
import { HandlerTimeoutError, toError } from '../kafka-events.errors.js';
import type { SignalSink } from '../observability/observer.js';
import type { HandlerCourse } from './handler-course.js';
import type { OwnedPartition } from './owned-partition.js';
import type { RunningContext, RunningHandler, RunningHandlers } from './running-handlers.js';

/** How one call of a handler, with a record or a batch, ended. */
export type CallEnding =
  | { readonly kind: 'succeeded' }
  | { readonly kind: 'failed'; readonly error: Error }
  /** Twice the timeout is over and the handler has still not come back; it may do so `later`. */
  | { readonly kind: 'overdue'; readonly error: Error; readonly later: Promise<void> };

export const SUCCEEDED: CallEnding & { readonly kind: 'succeeded' } = { kind: 'succeeded' };

/** What a call needs to keep its time. */
export interface TimedSurroundings {
  readonly running: RunningHandlers;
  readonly signals: SignalSink;
  readonly clock: Clock;
}

/**
 * The wait for one call of a handler: its signal is aborted after `timeoutMs`, and after twice that it
 * is given up. It is never called again here while its promise is pending.
 */
export abstract class TimedCall<
  Context extends RunningContext,
  Around extends TimedSurroundings,
> implements RunningHandler {
  dueAt = Number.POSITIVE_INFINITY;
  previous: RunningHandler | null = null;
  next: RunningHandler | null = null;
  #later: Promise<void> | undefined;
  /** Whether its time was up before. Its signal does not tell: others abort that, too. */
  #timedOut = false;

  constructor(
    /** Where signals name a record, it is this one's. */
    readonly course: HandlerCourse,
    readonly context: Context,
    protected readonly around: Around,
  ) {}

  get partition(): OwnedPartition {
    return this.course.partition;
  }

  abstract concerns(offset: bigint): boolean;

  /** Told how the call ended; once more when it comes back after it was overdue. Does not throw. */
  protected abstract end(ending: CallEnding): void;

  /** Waits for what the handler returned, its time running since `startedAt`. */
  protected waitFor(returned: Promise<unknown>, startedAt: number): void {
    const { running } = this.around;
    this.dueAt = startedAt + this.course.runtime.handler.settings.timeoutMs;
    running.add(this);
    this.#later = returned.then(
      () => {
        running.delete(this);
        this.end(SUCCEEDED);
      },
      (error: unknown) => {
        running.delete(this);
        this.end({ kind: 'failed', error: toError(error) });
      },
    );
  }

  /** The clock over running handlers says that the time is up. */
  onDue(): number | null {
    const { id, timeoutMs } = this.course.runtime.handler.settings;
    const { clock, running, signals } = this.around;
    const error = new HandlerTimeoutError(id, timeoutMs);
    if (!this.#timedOut) {
      this.#timedOut = true;
      signals.emit('handlerTimedOut', { ...this.course.ref, timeoutMs });
      this.context.call.abort(error);
      return clock.now() + timeoutMs;
    }
    running.delete(this);
    this.end({ kind: 'overdue', error, later: this.#later ?? Promise.resolve() });
    return null;
  }
}
