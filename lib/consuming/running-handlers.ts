import type { Clock, TimerHandle } from '../contracts/clock.js';
import type { CallSignal } from './call-signal.js';
import type { OwnedPartition } from './owned-partition.js';

/** What a handler at work was given, as others see it. */
export interface RunningContext {
  readonly handlerId: string;
  readonly call: CallSignal;
}

/** A handler at work on a record, or on a batch of them. */
export interface RunningHandler {
  readonly context: RunningContext;
  /** Where its records were delivered from; the context says where they were written to. */
  readonly partition: OwnedPartition;
  /** Whether the record delivered with that offset is among what it is at work on. */
  concerns(offset: bigint): boolean;
  /** When `onDue` is called next, by `Clock.now`. */
  dueAt: number;
  /** Called when the time is up; answers the next moment to call it, or null. */
  onDue(): number | null;
  /** The links belong to {@link RunningHandlers}: a handler runs once, in one place. */
  previous: RunningHandler | null;
  next: RunningHandler | null;
}

/**
 * The handlers of one group that are running now, and the clock over them.
 *
 * One timer stands for all their timeouts: handlers that end within the same turn of the event
 * loop, as most do, cost no timer of their own.
 */
export class RunningHandlers {
  #first: RunningHandler | null = null;
  #timer: TimerHandle | null = null;
  #timerDueAt = Number.POSITIVE_INFINITY;
  #closed = false;

  constructor(private readonly clock: Clock) {}

  *[Symbol.iterator](): IterableIterator<RunningHandler> {
    for (let each = this.#first; each !== null; each = each.next) yield each;
  }

  add(handler: RunningHandler): void {
    handler.next = this.#first;
    if (this.#first !== null) this.#first.previous = handler;
    this.#first = handler;
    if (handler.dueAt < this.#timerDueAt) this.#arm(handler.dueAt);
  }

  delete(handler: RunningHandler): void {
    const { previous, next } = handler;
    if (previous !== null) previous.next = next;
    else if (this.#first === handler) this.#first = next;
    if (next !== null) next.previous = previous;
    handler.previous = handler.next = null;
    if (this.#first === null) this.#disarm();
  }

  /** Watches no longer: what still runs must not keep the process alive. */
  close(): void {
    this.#closed = true;
    this.#disarm();
  }

  #arm(dueAt: number): void {
    if (this.#closed) return;
    this.#disarm();
    this.#timerDueAt = dueAt;
    this.#timer = this.clock.setTimeout(() => {
      this.#timer = null;
      this.#timerDueAt = Number.POSITIVE_INFINITY;
      this.#callDue();
    }, dueAt - this.clock.now());
  }

  #disarm(): void {
    if (this.#timer !== null) this.clock.clearTimeout(this.#timer);
    this.#timer = null;
    this.#timerDueAt = Number.POSITIVE_INFINITY;
  }

  #callDue(): void {
    const now = this.clock.now();
    let earliest = Number.POSITIVE_INFINITY;
    for (const handler of [...this]) {
      if (handler.dueAt <= now) handler.dueAt = handler.onDue() ?? Number.POSITIVE_INFINITY;
      earliest = Math.min(earliest, handler.dueAt);
    }
    if (earliest < this.#timerDueAt) this.#arm(earliest);
  }
}
