import type { CallHandler } from '@nestjs/common';
import { defer, lastValueFrom, mergeAll, of, type Observable } from 'rxjs';

import { backoffMs } from '../../consuming/backoff.js';
import type { DeadLetterStep } from '../../consuming/dead-letter-step.js';
import type { PlacedRecord } from '../../consuming/delivery.js';
import { classifyFailure, type FailureVerdict } from '../../failure/classify-failure.js';
import type { DeadLetterReason } from '../../failure/dead-letter-reason.js';
import { policyFor } from '../../failure/error-schedules.js';
import type { InvocationFault } from '../../failure/retry-policy.js';
import { serviceTroubleOf } from '../../failure/service-trouble.js';
import type { ClaimResult, Claims, HeldClaim } from '../../idempotency/claims.js';
import type { KafkaEventsSettings } from '../../kafka-events.options.js';
import { RedeliveryError, toError } from '../../kafka-events.errors.js';
import { partitionName } from '../../kafka/records.js';
import type { HandlerRef, SignalSink } from '../../observability/observer.js';
import type { HeartbeatWait } from './heartbeat-wait.js';
import type { RecordHistory } from './record-histories.js';
import { watchedCall } from './watched-call.js';

/** What all courses of one server share. */
export interface CourseSurroundings {
  readonly settings: Pick<KafkaEventsSettings, 'retry' | 'idempotency' | 'clock'>;
  readonly claims: Claims;
  /** How long a claim outlives its process; a handler that nobody waits for has as long. */
  readonly leaseMs: number;
  readonly deadLetters: DeadLetterStep;
  readonly signals: SignalSink;
  readonly random: () => number;
  readonly redact: (text: string) => string;
}

/** Of the record, not of a replay. */
const ORIGINAL_LEVEL = 0;

/** Nobody here could consume a retry topic. */
const NO_TOPIC = { delaysMs: null, level: ORIGINAL_LEVEL };

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
  #turnedAway = false;
  /** Nobody waits for the latest call, which has been counted as failed. */
  #left = false;
  #failedWith: Error | null = null;

  constructor(
    private readonly placed: PlacedRecord,
    private readonly ref: HandlerRef,
    /** Of the claim; null where only a failure is known, and no handler. */
    private readonly key: string | null,
    private readonly history: RecordHistory,
    private readonly wait: HeartbeatWait,
    private readonly around: CourseSurroundings,
  ) {
    this.#failures = history.failuresOf(ref.handlerId);
  }

  get handlerId(): string {
    return this.ref.handlerId;
  }

  /**
   * Handles the record, each time it is subscribed to, unless its event is done. Errors with what
   * the handler threw, its claim given back, or with a RedeliveryError when it cannot be claimed.
   */
  attempt(next: CallHandler): Observable<unknown> {
    const { leaseMs, settings } = this.around;
    this.#next = next;
    const ends = {
      succeeded: () => this.#mark('done'),
      failed: (error: Error) => this.#failed(error),
      left: () => {
        this.#left = true;
        this.#countFailure(null);
      },
      abandoned: () => {
        this.#drop();
      },
    };
    return defer(async () => {
      this.#turnedAway = !(await this.#claimed());
      this.#left = false;
      return this.#turnedAway ? of(undefined) : watchedCall(next, ends, settings.clock, leaseMs);
    }).pipe(mergeAll());
  }

  /** Says, once, whether it failed with that error: one error may fail several handlers. */
  takesFailure(error: Error): boolean {
    if (this.#failedWith !== error) return false;
    this.#failedWith = null;
    return true;
  }

  /** Notes what it failed with, for the filter that is asked about it. */
  failedWith(error: Error): void {
    this.#failedWith = error;
  }

  /** Whether an error is no handler's: kafkajs is to have it, and to deliver the record again. */
  isRedelivery(error: Error): boolean {
    return error instanceof RedeliveryError || this.wait.isRefusal(error);
  }

  /**
   * Takes a failed attempt to its end: resolves when the record is handled after all, or dead-lettered.
   *
   * @throws RedeliveryError when neither was possible in the time there is.
   */
  async failed(firstError: Error, fault: InvocationFault): Promise<unknown> {
    // What fails around a handler that did not run is no failure; what is dead-lettered is over.
    if (this.#turnedAway || this.#isDeadLettered) return undefined;
    // Without an attempt of ours it failed before the interceptor, or there is none.
    if (this.#next === null) this.#countFailure(firstError);
    for (let error = firstError; ;) {
      if (this.isRedelivery(error)) throw error;
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

  get #isDeadLettered(): boolean {
    return this.history.deadLettered.has(this.ref.handlerId);
  }

  /** False when the event is done. Without a claim, too, where the store is away and may be ignored. */
  async #claimed(): Promise<boolean> {
    const { settings, signals } = this.around;
    if (this.#isDeadLettered) return false;
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
    const { claims, signals, settings } = this.around;
    const { windowMs } = settings.idempotency;
    const { groupId } = this.ref;
    try {
      return await claims.claim(this.key ?? '', ORIGINAL_LEVEL, claims.newToken(), windowMs);
    } catch (thrown) {
      const error = toError(thrown);
      signals.emit('storeFailed', { groupId, operation: 'claim', error });
      return { status: 'away', error };
    }
  }

  async #failed(error: Error): Promise<void> {
    const { claims, settings } = this.around;
    const claim = this.#claim;
    this.#claim = null;
    if (!this.#left) this.#countFailure(error);
    this.failedWith(error);
    if (claim !== null) {
      await claims.release(claim, this.#failures, settings.idempotency.windowMs);
    }
  }

  /**
   * As in the pipeline: what tells of a service alone is no attempt, and where its breaker is open, those on
   * the way into that were none either.
   */
  #countFailure(error: Error | null): void {
    const trouble = error === null ? null : serviceTroubleOf(error);
    if (trouble === null) this.#failures++;
    else if (trouble.isOutage) this.#failures = 0;
    this.history.failures.set(this.ref.handlerId, this.#failures);
  }

  #drop(): void {
    if (this.#claim !== null) this.around.claims.drop(this.#claim);
    this.#claim = null;
  }

  #judge(error: Error, fault: InvocationFault): FailureVerdict {
    const { settings, signals, random } = this.around;
    this.#firstFailedAt ??= settings.clock.wallTime();
    const onClassifyError = (thrown: Error): void => {
      signals.emit('classifyFailed', { ...this.ref, error: thrown });
    };
    const policy = policyFor(settings.retry, error, onClassifyError);
    const trouble = serviceTroubleOf(error);
    const attempt = trouble === null ? this.#failures : this.#failures + 1;
    const failed = { error, fault, attempts: attempt, policy, random: random() };
    const judged = classifyFailure({ ...failed, ...NO_TOPIC, ref: this.ref, onClassifyError });
    const isFinal = judged.kind === 'dead-letter' && judged.reason !== 'retries-exhausted';
    const verdict: FailureVerdict =
      trouble === null || isFinal ? judged : { kind: 'retry', delayMs: trouble.waitMs };
    if (isFinal) this.#failures = attempt;
    const delayMs = verdict.kind === 'retry' ? verdict.delayMs : null;
    signals.emit('attemptFailed', { ...this.ref, attempt, error, delayMs });
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
    this.history.deadLettered.add(this.ref.handlerId);
    if (this.key !== null) {
      const answer = await this.#ask();
      this.#claim = answer.status === 'claimed' ? answer : null;
    }
    await this.#mark('dead');
  }

  async #mark(state: 'done' | 'dead'): Promise<void> {
    const { claims, settings, signals } = this.around;
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
    const { offset, handlerId } = this.ref;
    return new RedeliveryError(
      `${partitionName(this.ref)}@${offset.toString()} ${what} in ${handlerId} and is left to ` +
        'Kafka to deliver again' +
        (cause === null ? '' : `: ${this.around.redact(cause.message)}`),
      cause === null ? {} : { cause },
    );
  }
}
