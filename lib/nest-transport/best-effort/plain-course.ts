import type { CallHandler } from '@nestjs/common';
import {
  catchError,
  concat,
  defaultIfEmpty,
  defer,
  ignoreElements,
  lastValueFrom,
  mergeAll,
  of,
  type Observable,
} from 'rxjs';

import { backoffMs } from '../../consuming/backoff.js';
import type { DeadLetterStep } from '../../consuming/dead-letter-step.js';
import type { PlacedRecord } from '../../consuming/delivery.js';
import {
  classifyFailure,
  type FailureVerdict,
  type InvocationFault,
} from '../../failure/classify-failure.js';
import type { DeadLetterReason } from '../../failure/dead-letter-reason.js';
import type { ClaimResult, Claims, HeldClaim } from '../../idempotency/claims.js';
import type { KafkaEventsSettings } from '../../kafka-events.options.js';
import { RedeliveryError, toError } from '../../kafka-events.errors.js';
import type { HandlerRef, SignalSink } from '../../observability/observer.js';
import type { AttemptCounts } from './attempt-counts.js';
import type { HeartbeatWait } from './heartbeat-wait.js';

/** What all courses of one server share. */
export interface CourseSurroundings {
  readonly settings: Pick<KafkaEventsSettings, 'retry' | 'idempotency' | 'clock'>;
  readonly claims: Claims;
  readonly attempts: AttemptCounts;
  readonly deadLetters: DeadLetterStep;
  readonly signals: SignalSink;
  readonly random: () => number;
}

/** Of the record, not of a replay. */
const ORIGINAL_LEVEL = 0;

/** How often a claim in progress elsewhere is asked for again. */
const POLL_MS = 250;

/**
 * One handler's course over one record inside kafkajs's `eachMessage`: claimed, handled, retried
 * while there is time, dead-lettered; or given back for Kafka to deliver again.
 */
export class PlainCourse {
  #claim: HeldClaim | null = null;
  #failures: number;
  #firstFailedAt: Date | null = null;
  #next: CallHandler | null = null;

  constructor(
    private readonly placed: PlacedRecord,
    private readonly ref: HandlerRef,
    /** Of the claim; null where only a failure is known, and no handler. */
    private readonly key: string | null,
    private readonly wait: HeartbeatWait,
    private readonly around: CourseSurroundings,
  ) {
    this.#failures = around.attempts.of(this.#position);
  }

  /**
   * Handles the record, each time it is subscribed to, unless its event is done. Errors with what
   * the handler threw, its claim given back, or with a RedeliveryError when it cannot be claimed.
   */
  attempt(next: CallHandler): Observable<unknown> {
    this.#next = next;
    const marked = defer(() => this.#mark('done')).pipe(ignoreElements());
    const handled = defer(() => next.handle()).pipe(
      defaultIfEmpty(undefined),
      catchError((thrown: unknown) => this.#failedWith(toError(thrown))),
    );
    return defer(async () =>
      (await this.#claimed()) ? concat(handled, marked) : of(undefined),
    ).pipe(mergeAll());
  }

  /**
   * Takes a failed attempt to its end: resolves when the record is handled after all, or dead-lettered.
   *
   * @throws RedeliveryError when neither was possible in the time there is.
   */
  async failed(firstError: Error, fault: InvocationFault): Promise<unknown> {
    // Without an attempt of ours it failed before the interceptor, or there is none.
    if (this.#next === null) this.#failures++;
    for (let error = firstError; ;) {
      if (error instanceof RedeliveryError || this.wait.isRefusal(error)) throw error;
      const verdict = this.#judge(error, fault);
      if (verdict.kind === 'dead-letter') return this.#bury(verdict.reason, error);
      const next = this.#next;
      if (next === null || !(await this.wait.sleep(verdict.delayMs))) {
        throw this.#redelivery('failed', error);
      }
      try {
        return await lastValueFrom(this.attempt(next));
      } catch (thrown) {
        error = toError(thrown);
      }
    }
  }

  get #position(): string {
    const { topic, partition, offset } = this.ref;
    return `${topic}[${String(partition)}]@${offset.toString()}`;
  }

  /** False when the event is done. Without a claim, too, where the store is away and may be ignored. */
  async #claimed(): Promise<boolean> {
    const { settings, signals } = this.around;
    for (;;) {
      const answer = await this.#ask();
      switch (answer.status) {
        case 'claimed':
          this.#claim = answer;
          this.#failures = answer.attempts;
          return true;
        case 'in-progress':
          signals.emit('leaseWait', { ...this.ref, leaseMs: answer.leaseMs });
          break;
        case 'away':
          if (settings.idempotency.onStoreError === 'pause') break;
          signals.emit('handledWithoutDedup', this.ref);
          return true;
        default:
          signals.emit('duplicate', { ...this.ref, state: answer.status });
          return false;
      }
      if (await this.wait.sleep(POLL_MS)) continue;
      throw this.#redelivery(
        'could not be claimed',
        answer.status === 'away' ? answer.error : null,
      );
    }
  }

  async #ask(): Promise<ClaimResult | { readonly status: 'away'; readonly error: Error }> {
    const { claims, signals } = this.around;
    const { groupId } = this.ref;
    try {
      return await claims.claim(this.key ?? '', ORIGINAL_LEVEL, claims.newToken());
    } catch (thrown) {
      const error = toError(thrown);
      signals.emit('storeFailed', { groupId, operation: 'claim', error });
      return { status: 'away', error };
    }
  }

  async #failedWith(error: Error): Promise<never> {
    const { claims, attempts, settings } = this.around;
    const claim = this.#claim;
    this.#claim = null;
    attempts.set(this.#position, ++this.#failures);
    if (claim !== null) {
      await claims.release(claim, this.#failures, settings.idempotency.windowMs);
    }
    throw error;
  }

  #judge(error: Error, fault: InvocationFault): FailureVerdict {
    const { settings, signals, random, attempts } = this.around;
    this.#firstFailedAt ??= new Date(settings.clock.now());
    attempts.set(this.#position, this.#failures);
    const failed = { error, fault, attempts: this.#failures, policy: settings.retry };
    const verdict = classifyFailure({ ...failed, random: random() });
    const delayMs = verdict.kind === 'retry' ? verdict.delayMs : null;
    signals.emit('attemptFailed', { ...this.ref, attempt: this.#failures, error, delayMs });
    return verdict;
  }

  /** Until the broker has the dead letter the record is not done. */
  async #bury(reason: DeadLetterReason, error: Error): Promise<void> {
    const handlerId = this.key === null ? null : this.ref.handlerId;
    const [attempts, firstFailedAt] = [this.#failures, this.#firstFailedAt];
    const givenUp = { handlerId, reason, error, attempts, firstFailedAt };
    for (let tries = 1; !(await this.around.deadLetters.write(this.placed, givenUp)); tries++) {
      if (!(await this.wait.sleep(backoffMs(tries)))) {
        throw this.#redelivery('could not be dead-lettered', error);
      }
    }
    if (this.key !== null) {
      const answer = await this.#ask();
      this.#claim = answer.status === 'claimed' ? answer : null;
    }
    await this.#mark('dead');
  }

  async #mark(state: 'done' | 'dead'): Promise<void> {
    const { claims, attempts, settings, signals } = this.around;
    attempts.forget(this.#position);
    const claim = this.#claim;
    this.#claim = null;
    if (claim === null) return;
    try {
      const { windowMs } = settings.idempotency;
      const ours = await claims.complete(claim, state, ORIGINAL_LEVEL, windowMs);
      if (!ours) signals.emit('claimLost', this.ref);
    } catch (thrown) {
      // The effect is there: held up for its mark, kafkajs would only deliver the record again.
      claims.drop(claim);
      const { groupId } = this.ref;
      signals.emit('storeFailed', { groupId, operation: 'complete', error: toError(thrown) });
    }
  }

  #redelivery(what: string, cause: Error | null): RedeliveryError {
    return new RedeliveryError(
      `${this.#position} ${what} in ${this.ref.handlerId} and is left to Kafka to deliver again` +
        (cause === null ? '' : `: ${cause.message}`),
      cause === null ? {} : { cause },
    );
  }
}
