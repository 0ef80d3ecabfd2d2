import type { CallHandler } from '@nestjs/common';
import { defaultIfEmpty, defer, Observable } from 'rxjs';

import type { Clock } from '../../contracts/clock.js';
import { toError } from '../../kafka-events.errors.js';

/** What is to be done when a handler has ended; none of it rejects. */
export interface CallEnds {
  readonly succeeded: () => Promise<void>;
  readonly failed: (error: Error) => Promise<void>;
  /** Nobody waits for it any more, and it has not ended. */
  readonly left: () => void;
  /** It was left, and did not end in all the time there is. */
  readonly abandoned: () => void;
}

/**
 * A call of a handler whose end is seen to even where an interceptor further out has stopped
 * listening: `timeout()` leaves a handler running, which may succeed yet. One that has answered by
 * then counts as done.
 */
export function watchedCall(
  next: CallHandler,
  ends: CallEnds,
  clock: Clock,
  longestMs: number,
): Observable<unknown> {
  return new Observable((listener) => {
    let [ended, answered] = [false, false];
    const endWith = (done: Promise<void>, tell: () => void): void => {
      ended = true;
      void done.then(tell);
    };
    const call = defer(() => next.handle()).pipe(defaultIfEmpty(undefined));
    const running = call.subscribe({
      next: (value) => {
        answered = true;
        listener.next(value);
      },
      error: (thrown: unknown) => {
        const error = toError(thrown);
        endWith(ends.failed(error), () => {
          listener.error(error);
        });
      },
      complete: () => {
        endWith(ends.succeeded(), () => {
          listener.complete();
        });
      },
    });
    return () => {
      if (ended) return;
      if (answered) {
        running.unsubscribe();
        void ends.succeeded();
        return;
      }
      ends.left();
      const giveUp = clock.setTimeout(() => {
        running.unsubscribe();
        ends.abandoned();
      }, longestMs);
      running.add(() => {
        clock.clearTimeout(giveUp);
      });
    };
  });
}
