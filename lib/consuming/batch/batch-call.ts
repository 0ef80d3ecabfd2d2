import type { Clock } from '../../contracts/clock.js';
import { isPromise, type MaybePromise } from '../../contracts/maybe-promise.js';
import { HandlerTimeoutError, toError } from '../../kafka-events.errors.js';
import type { SignalSink } from '../../observability/observer.js';
import type { CallControl } from '../event-handler.js';
import type { HandlerCourse } from '../handler-course.js';
import type { OwnedPartition } from '../owned-partition.js';
import type { RunningHandler, RunningHandlers } from '../running-handlers.js';
import type { EventBatch } from './event-batch.js';

/** How a call with a batch ended. */
export type BatchResult =
  | { readonly kind: 'succeeded' }
  | { readonly kind: 'failed'; readonly error: Error }
  /** Twice the timeout is over and the handler has still not come back; it may do so `later`. */
  | { readonly kind: 'overdue'; readonly error: Error; readonly later: Promise<void> };

export interface BatchSurroundings {
  readonly running: RunningHandlers;
  readonly signals: SignalSink;
  readonly clock: Clock;
}

const SUCCEEDED: BatchResult = { kind: 'succeeded' };

/** Records of a batch are claimed before the call: there is nothing to ask for in it. */
const CLAIMED: CallControl = { claim: () => true };

/** One call of a handler with a batch, within its time, as a `HandlerCall` is with a record. */
export class BatchCall implements RunningHandler {
  dueAt = Number.POSITIVE_INFINITY;
  previous: RunningHandler | null = null;
  next: RunningHandler | null = null;
  #later: Promise<void> = Promise.resolve();
  #resolve: (result: BatchResult) => void = () => undefined;

  constructor(
    /** The first one: it stands for the batch where signals name a record. */
    private readonly course: HandlerCourse,
    private readonly courses: readonly HandlerCourse[],
    readonly context: EventBatch,
    private readonly around: BatchSurroundings,
  ) {}

  get partition(): OwnedPartition {
    return this.course.partition;
  }

  concerns(offset: bigint): boolean {
    return this.courses.some(({ delivery }) => delivery.record.record.offset === offset);
  }

  /** Calls the handler; afterwards it decides nothing more. Never rejects. */
  run(): Promise<BatchResult> {
    return new Promise((resolve) => {
      this.#resolve = resolve;
      let returned: MaybePromise<unknown>;
      try {
        returned = this.course.runtime.handler.invoke(this.context, this.context, CLAIMED);
      } catch (error) {
        this.#end({ kind: 'failed', error: toError(error) });
        return;
      }
      if (isPromise(returned)) this.#withinTime(returned);
      else this.#end(SUCCEEDED);
    });
  }

  onDue(): number | null {
    const { id, timeoutMs } = this.course.runtime.handler.settings;
    const { clock, running, signals } = this.around;
    const error = new HandlerTimeoutError(id, timeoutMs);
    if (!this.context.timedOut) {
      signals.emit('handlerTimedOut', { ...this.course.ref, timeoutMs });
      this.context.abort(error);
      return clock.now() + timeoutMs;
    }
    running.delete(this);
    this.#end({ kind: 'overdue', error, later: this.#later });
    return null;
  }

  #withinTime(returned: Promise<unknown>): void {
    const { running, clock } = this.around;
    this.dueAt = clock.now() + this.course.runtime.handler.settings.timeoutMs;
    running.add(this);
    this.#later = returned.then(
      () => {
        running.delete(this);
        this.#end(SUCCEEDED);
      },
      (error: unknown) => {
        running.delete(this);
        this.#end({ kind: 'failed', error: toError(error) });
      },
    );
  }

  #end(result: BatchResult): void {
    this.context.end();
    this.#resolve(result);
  }
}
