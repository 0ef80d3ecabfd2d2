import { sleep, type Clock } from '../contracts/clock.js';
import { isPromise, type MaybePromise } from '../contracts/maybe-promise.js';
import { HeldClaim, type ClaimResult, type Claims } from '../idempotency/claims.js';
import type { CompletedState } from '../idempotency/idempotency-store.js';
import { toError } from '../kafka-events.errors.js';
import type { SignalSink } from '../observability/observer.js';
import { backoffMs } from './backoff.js';
import type { Claimed } from './claimed.js';
import type { CrashGuard } from './crash-guard.js';
import type { HandlerCourse } from './handler-course.js';
import type { MarkKeeper } from './mark-keeper.js';

/** How a completion ended: `unmarked` when the store stayed away longer than the claim can be ours. */
export type Completed = 'marked' | 'unmarked';

interface PendingMark {
  readonly claim: HeldClaim;
  readonly state: CompletedState;
  readonly level: number;
  readonly retentionMs: number;
}

export interface ClaimStepOptions {
  readonly groupId: string;
  readonly onStoreError: 'pause' | 'process';
  readonly leaseMs: number;
}

/** Claims a record for a handler before it runs, and marks or returns the claim afterwards. */
export class ClaimStep {
  constructor(
    private readonly options: ClaimStepOptions,
    private readonly claims: Claims,
    private readonly guard: Pick<CrashGuard, 'suspect'>,
    private readonly marks: Pick<MarkKeeper, 'found'>,
    private readonly signals: SignalSink,
    private readonly clock: Clock,
  ) {}

  take(course: HandlerCourse): MaybePromise<Claimed> {
    // An overdue handler keeps its claim: nobody may run the event while it may still be at it.
    const { idempotency } = course.runtime.handler.settings;
    if (idempotency === null || course.claim !== null) return 'go';
    const token = (course.askedWith ??= this.claims.newToken());
    try {
      const result = this.claims.claim(course.key, course.level, token, idempotency.windowMs);
      return isPromise(result)
        ? result.then(
            (answer) => this.#answered(course, token, answer),
            (error: unknown) => this.#storeAway(course, toError(error)),
          )
        : this.#answered(course, token, result);
    } catch (error) {
      return this.#storeAway(course, toError(error));
    }
  }

  /**
   * Gives the claim back with the attempts that have failed, unless the handler may still be at it.
   * Never rejects: the lease ends a claim, too.
   */
  async giveBack(course: HandlerCourse): Promise<void> {
    const { idempotency } = course.runtime.handler.settings;
    if (course.overdue !== null) return;
    const claim = course.claim ?? unansweredClaim(course);
    course.claim = null;
    course.askedWith = null;
    if (claim === null || idempotency === null) return;
    await this.claims.release(claim, course.attempts, idempotency.windowMs);
  }

  /** Gives back what an abandoned course holds, once its handler has really come back. */
  async leave(course: HandlerCourse): Promise<void> {
    await course.overdue;
    course.overdue = null;
    await this.giveBack(course);
  }

  /** Leaves the claim to its lease. */
  drop(course: HandlerCourse): void {
    if (course.claim !== null) this.claims.drop(course.claim);
    course.claim = null;
  }

  /**
   * Marks the claim. A finished handler waits here for the store; it is never run again for it.
   *
   * @param longerMs for which the mark is to be kept beyond the handler's window.
   */
  complete(course: HandlerCourse, state: CompletedState, longerMs = 0): MaybePromise<Completed> {
    const { claim } = course;
    const { idempotency } = course.runtime.handler.settings;
    if (claim === null || idempotency === null) {
      course.askedWith = null;
      return 'marked';
    }
    const retentionMs = idempotency.windowMs + longerMs;
    const completion = { claim, state, level: course.level, retentionMs };
    try {
      const marked = this.#mark(course, completion);
      return isPromise(marked)
        ? marked.catch((error: unknown) => this.#markLater(course, completion, toError(error)))
        : marked;
    } catch (error) {
      return this.#markLater(course, completion, toError(error));
    }
  }

  /**
   * Whether a record that is marked dead is done by now: its dead letter was replayed. A mark that is
   * over is set again. Never rejects.
   */
  async isDoneAfterAll(course: HandlerCourse): Promise<boolean> {
    const { idempotency } = course.runtime.handler.settings;
    if (idempotency === null || !course.claims) return false;
    const { key, level } = course;
    const { windowMs } = idempotency;
    try {
      const answer = await this.claims.claim(key, level, this.claims.newToken(), windowMs);
      if (answer.status === 'claimed') await this.claims.complete(answer, 'dead', level, windowMs);
      return answer.status === 'done';
    } catch (thrown) {
      const { groupId } = this.options;
      this.signals.emit('storeFailed', { groupId, operation: 'claim', error: toError(thrown) });
      return false;
    }
  }

  #mark(course: HandlerCourse, mark: PendingMark): MaybePromise<Completed> {
    const { claim, state, level, retentionMs } = mark;
    const marked = this.claims.complete(claim, state, level, retentionMs);
    return isPromise(marked)
      ? marked.then((ours) => this.#marked(course, ours))
      : this.#marked(course, marked);
  }

  #answered(course: HandlerCourse, token: string, answer: ClaimResult): Claimed {
    if (course.askedWith !== token) return this.#tooLate(course, answer);
    course.setbacks = 0;
    course.askedWith = null;
    switch (answer.status) {
      case 'claimed':
        course.remember(answer.attempts);
        course.claim = answer;
        if (answer.suspicion !== null) this.guard.suspect(course, answer.suspicion);
        return 'go';
      case 'in-progress':
        this.signals.emit('leaseWait', { ...course.ref, leaseMs: answer.leaseMs });
        return { until: this.#untilFree(course, answer.leaseMs) };
      default:
        course.found = answer.status;
        this.signals.emit('duplicate', { ...course.ref, state: answer.status });
        course.delivery.record.place.marked(course.key);
        this.marks.found();
        return 'duplicate';
    }
  }

  /** The call that asked has ended without waiting: what it was granted is given back at once. */
  #tooLate({ runtime, attempts }: HandlerCourse, answer: ClaimResult): Claimed {
    const { idempotency } = runtime.handler.settings;
    if (answer.status === 'claimed' && idempotency !== null) {
      void this.claims.release(answer, attempts, idempotency.windowMs);
    }
    return 'duplicate';
  }

  /** Waits for the lease, or for our own other record of that event to be done with it. */
  #untilFree({ key, partition }: HandlerCourse, leaseMs: number): Promise<void> {
    const longest = this.claims.holds(key) ? this.options.leaseMs : leaseMs;
    return partition.sleep(longest, (wake) => this.claims.onEnd(key, wake));
  }

  #storeAway(course: HandlerCourse, error: Error): Claimed {
    const { groupId, onStoreError } = this.options;
    this.signals.emit('storeFailed', { groupId, operation: 'claim', error });
    if (onStoreError === 'process') {
      this.signals.emit('handledWithoutDedup', course.ref);
      return 'go';
    }
    return { until: course.partition.sleep(backoffMs(++course.setbacks)) };
  }

  #marked(course: HandlerCourse, ours: boolean): Completed {
    course.claim = null;
    course.delivery.record.place.marked(course.key);
    if (!ours) this.signals.emit('claimLost', course.ref);
    return 'marked';
  }

  /** The store is away: keeps trying, renewing the lease meanwhile, for as long as it can be ours. */
  async #markLater(
    course: HandlerCourse,
    completion: PendingMark,
    firstError: Error,
  ): Promise<Completed> {
    const { groupId, onStoreError, leaseMs } = this.options;
    let error = firstError;
    let lostAt: number | null = null;
    for (let tries = 1; ; tries++) {
      this.signals.emit('storeFailed', { groupId, operation: 'complete', error });
      if (course.partition.lost) lostAt ??= this.clock.now();
      const tooLate = lostAt !== null && this.clock.now() - lostAt > leaseMs;
      if (onStoreError === 'process' || tooLate) {
        this.drop(course);
        return 'unmarked';
      }
      await sleep(this.clock, backoffMs(tries));
      try {
        return await this.#mark(course, completion);
      } catch (thrown) {
        error = toError(thrown);
      }
    }
  }
}

/** One that we may hold without knowing. */
function unansweredClaim({ key, askedWith, attempts }: HandlerCourse): HeldClaim | null {
  return askedWith === null ? null : new HeldClaim(key, askedWith, attempts);
}
