import type { Clock } from '../contracts/clock.js';
import { EventEnvelope } from '../contracts/event-envelope.js';
import { isPromise, type MaybePromise } from '../contracts/maybe-promise.js';
import type { DeadLetter } from '../failure/dead-letter.js';
import type { DeadLetterReason } from '../failure/dead-letter-reason.js';
import { UndeliverableError, type DeadLetterWriter } from '../failure/dead-letter-writer.js';
import { claimKey, claimKeyPrefix } from '../idempotency/claim-key.js';
import type { Claims, HeldClaim } from '../idempotency/claims.js';
import type { CompletedState } from '../idempotency/idempotency-store.js';
import { toError } from '../kafka-events.errors.js';
import type { HandlerRef, SignalSink } from '../observability/observer.js';
import type { EventSink } from '../publishing/publish-options.js';
import type { ConsumedRecord } from './consumed-record.js';
import { recordRef, type Delivery } from './delivery.js';
import { EventContext } from './event-context.js';
import type { Route, TopicRoutes } from './event-router.js';
import { judgeFailure } from './failure-judge.js';
import { attemptHandler, type AttemptResult } from './handler-attempt.js';
import type { HandlerRuntime } from './handler-runtime.js';
import type { OwnedPartition } from './owned-partition.js';
import { readPayload } from './read-payload.js';
import type { Semaphore } from './semaphore.js';

/** How a record, or one handler's part of it, ended. All but `abandoned` settle the record. */
export type RecordOutcome =
  | 'handled'
  | 'duplicate'
  | 'dead-lettered'
  | 'not-ours'
  | 'tombstone'
  /** The partition was lost, or the process stops: the record is delivered again, elsewhere. */
  | 'abandoned';

/** A record after decoding and routing: for handlers, or at its end already. */
export type Opened =
  | { readonly kind: 'deliver'; readonly route: Route; readonly delivery: Delivery }
  | { readonly kind: 'settle'; readonly outcome: 'not-ours' | 'tombstone' }
  | { readonly kind: 'dead-letter'; readonly reason: DeadLetterReason };

export interface PipelineOptions {
  readonly groupId: string;
  readonly missingId: 'derive' | 'dead-letter';
  readonly onStoreError: 'pause' | 'process';
  /** Waits for the store and for dead letters grow from here, doubling, to `maxBackoffMs`. */
  readonly backoffMs: number;
  readonly maxBackoffMs: number;
  /** Of claims: after the partition is lost, completing one is tried for this long. */
  readonly leaseMs: number;
}

export interface PipelineParts {
  readonly claims: Claims;
  readonly deadLetters: DeadLetterWriter;
  readonly sink: EventSink;
  readonly signals: SignalSink;
  readonly clock: Clock;
  readonly random: () => number;
  /** Handlers of the group running at once; null: no limit beyond their own. */
  readonly groupSlots: Semaphore | null;
}

/** One pass over a handler: it ended, or it goes again after a wait. */
type Pass =
  | { readonly kind: 'end'; readonly outcome: RecordOutcome }
  | { readonly kind: 'again'; readonly wait: Promise<void> | null };

/** What the passes of one handler over one record know of each other. */
interface Course {
  readonly ref: HandlerRef;
  readonly key: string;
  attempts: number;
  firstFailedAt: Date | null;
  /** Set once the record is given up: what is left is to have it acknowledged in the DLQ. */
  verdict: { readonly reason: DeadLetterReason; readonly error: Error } | null;
  /** Failed tries to reach the store or the DLQ in a row, for the backoff. */
  setbacks: number;
}

const AGAIN: Pass = { kind: 'again', wait: null };
const LEVEL_OF_ORIGINALS = 0;

/**
 * The way of a record, its steps in this order:
 *
 *     decode ─ route ─ (lane) ─ claim ─ slot ─ handle ─ complete ─ settle
 *                                 │               └ failed: filters, then retry in lane | dead letter
 *                                 └ done, parked or dead: duplicate · in progress elsewhere: wait
 *
 * `open` decodes and routes when the record reaches the head of its lane; `run` does the rest for
 * each of its handlers, side by side, and answers how the record ended. Settling is the caller's,
 * and the only door to the offset. Nothing thrown by a handler, a store or a broker gets out of here.
 */
export class RecordPipeline {
  readonly #prefixes = new Map<HandlerRuntime, Map<string, string>>();

  constructor(
    private readonly options: PipelineOptions,
    private readonly parts: PipelineParts,
  ) {}

  open(record: ConsumedRecord, routes: TopicRoutes): Opened {
    const envelope = new EventEnvelope(record.partition, record.record);
    const routing = routes.routingOf(envelope);
    const tombstone = record.record.value === null;
    if (routing.kind === 'not-ours') return this.#notOurs(record, envelope.eventType);
    if (routing.kind !== 'ours') {
      // A tombstone has nothing but its key: without a type it is nobody's poison.
      return tombstone && routing.kind === 'no-event-type'
        ? this.#tombstone(record)
        : { kind: 'dead-letter', reason: routing.kind };
    }
    const { route } = routing;
    const handlers = tombstone
      ? route.handlers.filter(({ handler }) => handler.settings.tombstones)
      : route.handlers;
    if (handlers.length === 0) return this.#tombstone(record);
    if (envelope.idDerived) {
      this.parts.signals.emit('missingId', recordRef(this.options.groupId, record));
      if (this.options.missingId === 'dead-letter')
        return { kind: 'dead-letter', reason: 'invalid' };
    }
    return {
      kind: 'deliver',
      route,
      delivery: { record, envelope, contract: route.contract, handlers },
    };
  }

  /** Takes a record, whose handlers all have a ticket, to its end; gives the tickets back. */
  run(delivery: Delivery): Promise<RecordOutcome> {
    const [only, second] = delivery.handlers;
    return only !== undefined && second === undefined
      ? this.#handle(delivery, only)
      : Promise.all(delivery.handlers.map((handler) => this.#handle(delivery, handler))).then(
          combine,
        );
  }

  /** Dead-letters a record that reaches no handler. */
  async deadLetter(record: ConsumedRecord, reason: DeadLetterReason): Promise<RecordOutcome> {
    const { partition } = record;
    const failedAt = new Date(this.parts.clock.now());
    const letter = this.#letter(record, null, reason, null, 0, failedAt);
    for (let tries = 1; await partition.whenActive(); tries++) {
      partition.enter();
      const written = await this.#write(record, letter).finally(() => {
        partition.exit();
      });
      if (written) return 'dead-lettered';
      await partition.sleep(this.#backoff(tries));
    }
    return 'abandoned';
  }

  async #handle(delivery: Delivery, runtime: HandlerRuntime): Promise<RecordOutcome> {
    const { partition } = delivery.record;
    const course = this.#course(delivery, runtime);
    for (;;) {
      partition.enter();
      let pass: Pass;
      try {
        pass = await this.#pass(delivery, runtime, course);
      } finally {
        partition.exit();
        runtime.tickets.release();
      }
      if (pass.kind === 'end') return pass.outcome;
      if (pass.wait !== null) await pass.wait;
      do {
        if (!(await partition.whenActive())) return 'abandoned';
      } while (!(await runtime.tickets.acquire(partition)));
    }
  }

  async #pass(delivery: Delivery, runtime: HandlerRuntime, course: Course): Promise<Pass> {
    const { partition } = delivery.record;
    if (!partition.active) return AGAIN;

    const claimed = this.#claim(delivery, runtime, course);
    const claim = isPromise(claimed) ? await claimed : claimed;
    if (claim !== null && 'kind' in claim) return claim;

    if (course.verdict === null) {
      if (!partition.active || !(await this.#takeSlots(runtime, partition))) {
        return this.#giveBack(claim, runtime, course, null);
      }
      const context = this.#context(delivery, course);
      const attempted = this.#attempt(delivery, runtime, context, course);
      const result = isPromise(attempted) ? await attempted : attempted;
      if (result.kind === 'succeeded')
        return this.#complete(claim, runtime, course, partition, 'done');

      const decided = await this.#judge(delivery, runtime, context, course, result);
      if (decided === 'succeeded') {
        return this.#complete(claim, runtime, course, partition, 'done');
      }
      if (decided !== null) return this.#giveBack(claim, runtime, course, partition.sleep(decided));
    }
    return this.#bury(delivery, runtime, course, claim);
  }

  /** The claim; null where the handler runs without one; or how the pass ends without it. */
  #claim(
    delivery: Delivery,
    runtime: HandlerRuntime,
    course: Course,
  ): MaybePromise<HeldClaim | Pass | null> {
    if (runtime.handler.settings.idempotency === null) return null;
    const { claims } = this.parts;
    try {
      const result = claims.claim(course.key, LEVEL_OF_ORIGINALS);
      return isPromise(result)
        ? result.then(
            (answer) => this.#claimed(delivery, course, answer),
            (error: unknown) => this.#storeAway(delivery, course, toError(error)),
          )
        : this.#claimed(delivery, course, result);
    } catch (error) {
      return this.#storeAway(delivery, course, toError(error));
    }
  }

  #claimed(
    delivery: Delivery,
    course: Course,
    answer: Awaited<ReturnType<Claims['claim']>>,
  ): HeldClaim | Pass {
    course.setbacks = 0;
    if (answer.status === 'claimed') {
      course.attempts = Math.max(course.attempts, answer.claim.attempts);
      return answer.claim;
    }
    const { signals } = this.parts;
    if (answer.status === 'in-progress') {
      signals.emit('leaseWait', { ...course.ref, leaseMs: answer.leaseMs });
      return { kind: 'again', wait: this.#untilFree(delivery, course.key, answer.leaseMs) };
    }
    signals.emit('duplicate', { ...course.ref, state: answer.status });
    return { kind: 'end', outcome: 'duplicate' };
  }

  /** Waits for the lease, or for our own other record of that event to be done with it. */
  #untilFree({ record: { partition } }: Delivery, key: string, leaseMs: number): Promise<void> {
    return new Promise((resolve) => {
      const stopListening = this.parts.claims.onEnd(key, resolve);
      void partition.sleep(stopListening === null ? leaseMs : this.options.leaseMs).then(() => {
        stopListening?.();
        resolve();
      });
    });
  }

  #storeAway({ record: { partition } }: Delivery, course: Course, error: Error): Pass | null {
    const { signals } = this.parts;
    const { groupId, onStoreError } = this.options;
    signals.emit('storeFailed', { groupId, operation: 'claim', error });
    if (onStoreError === 'process') {
      signals.emit('handledWithoutDedup', course.ref);
      return null;
    }
    return { kind: 'again', wait: partition.sleep(this.#backoff(++course.setbacks)) };
  }

  /** A slot of the handler and one of the group; false when the partition stops before both are free. */
  async #takeSlots(runtime: HandlerRuntime, partition: OwnedPartition): Promise<boolean> {
    const { groupSlots } = this.parts;
    if (!runtime.slots.tryAcquire() && !(await runtime.slots.acquire(partition))) return false;
    if (groupSlots === null || groupSlots.tryAcquire()) return true;
    if (await groupSlots.acquire(partition)) return true;
    runtime.slots.release();
    return false;
  }

  #freeSlots(runtime: HandlerRuntime): void {
    runtime.slots.release();
    this.parts.groupSlots?.release();
  }

  /** Reads the payload and calls the handler. Slots are held until the handler has really come back. */
  async #attempt(
    delivery: Delivery,
    runtime: HandlerRuntime,
    context: EventContext,
    course: Course,
  ): Promise<AttemptResult> {
    const { clock, signals } = this.parts;
    const { partition, record } = delivery.record;
    const { handler } = runtime;
    const startedAt = clock.now();
    let result: AttemptResult;
    try {
      const reading = readPayload(delivery.contract, record);
      const payload = isPromise(reading) ? await reading : reading;
      partition.running.add(context);
      const attempted = attemptHandler(handler, payload, context, clock, () => {
        const { timeoutMs } = handler.settings;
        signals.emit('handlerTimedOut', { ...course.ref, timeoutMs });
      });
      result = isPromise(attempted) ? await attempted : attempted;
    } catch (error) {
      result = { kind: 'failed', error: toError(error) };
    }
    partition.running.delete(context);
    if (result.kind === 'overdue') {
      signals.emit('slotLeaked', course.ref);
      void result.later.then(() => {
        this.#freeSlots(runtime);
      });
      return result;
    }
    this.#freeSlots(runtime);
    if (result.kind === 'succeeded') {
      const durationMs = clock.now() - startedAt;
      signals.emit('handled', { ...course.ref, attempt: context.attempt, durationMs });
    }
    return result;
  }

  /** Milliseconds to the next attempt; `succeeded` on a filter's word; null: the record is given up. */
  async #judge(
    delivery: Delivery,
    runtime: HandlerRuntime,
    context: EventContext,
    course: Course,
    result: Exclude<AttemptResult, { kind: 'succeeded' }>,
  ): Promise<number | 'succeeded' | null> {
    const { signals, random, clock } = this.parts;
    const { error } = result;
    course.attempts = context.attempt;
    course.firstFailedAt ??= new Date(clock.now());
    const judgement = await judgeFailure(
      { runtime, context, error, overdue: result.kind === 'overdue', random: random() },
      (filterError) => {
        signals.emit('filterFailed', { ...course.ref, error: filterError });
      },
    );
    if (judgement.kind === 'succeeded') return 'succeeded';
    const delayMs = judgement.kind === 'retry' ? judgement.delayMs : null;
    signals.emit('attemptFailed', { ...course.ref, attempt: context.attempt, error, delayMs });
    if (judgement.kind === 'retry') return judgement.delayMs;
    course.verdict = { reason: judgement.reason, error: judgement.error };
    return null;
  }

  async #giveBack(
    claim: HeldClaim | null,
    runtime: HandlerRuntime,
    course: Course,
    wait: Promise<void> | null,
  ): Promise<Pass> {
    const window = runtime.handler.settings.idempotency;
    if (claim !== null && window !== null) {
      await this.parts.claims.release(claim, course.attempts, window.windowMs);
    }
    return { kind: 'again', wait };
  }

  /** Marks the claim. A finished handler waits here for the store; it is never run again for it. */
  async #complete(
    claim: HeldClaim | null,
    runtime: HandlerRuntime,
    course: Course,
    partition: OwnedPartition,
    state: CompletedState,
  ): Promise<Pass> {
    const outcome = state === 'done' ? 'handled' : 'dead-lettered';
    const window = runtime.handler.settings.idempotency;
    if (claim === null || window === null) return { kind: 'end', outcome };
    const { claims, clock, signals } = this.parts;
    const { groupId, onStoreError, leaseMs } = this.options;
    let lostAt: number | null = null;
    for (let tries = 1; ; tries++) {
      try {
        const marked = claims.complete(claim, state, LEVEL_OF_ORIGINALS, window.windowMs);
        const ours = isPromise(marked) ? await marked : marked;
        if (!ours) signals.emit('claimLost', course.ref);
        return { kind: 'end', outcome };
      } catch (thrown) {
        const error = toError(thrown);
        signals.emit('storeFailed', { groupId, operation: 'complete', error });
      }
      if (onStoreError === 'process') return { kind: 'end', outcome };
      if (partition.lost) lostAt ??= clock.now();
      if (lostAt !== null && clock.now() - lostAt > leaseMs) {
        return { kind: 'end', outcome: 'abandoned' };
      }
      await new Promise<void>((resolve) => {
        clock.setTimeout(resolve, this.#backoff(tries));
      });
    }
  }

  /** Has the record acknowledged in the dead-letter topic, then marks the claim dead. */
  async #bury(
    delivery: Delivery,
    runtime: HandlerRuntime,
    course: Course,
    claim: HeldClaim | null,
  ): Promise<Pass> {
    const { record } = delivery;
    const { verdict, firstFailedAt } = course;
    if (verdict === null) return AGAIN;
    const { reason, error } = verdict;
    const since = firstFailedAt ?? new Date(this.parts.clock.now());
    const letter = this.#letter(record, runtime.id, reason, error, course.attempts, since);
    if (await this.#write(record, letter)) {
      return this.#complete(claim, runtime, course, record.partition, 'dead');
    }
    const wait = record.partition.sleep(this.#backoff(++course.setbacks));
    return this.#giveBack(claim, runtime, course, wait);
  }

  async #write(record: ConsumedRecord, letter: DeadLetter): Promise<boolean> {
    const { deadLetters, signals } = this.parts;
    const ref = recordRef(this.options.groupId, record);
    const deadLetterTopic = deadLetters.topicFor(ref.topic);
    const { handlerId, reason } = letter;
    try {
      await deadLetters.write(letter);
      const { error } = letter;
      signals.emit('deadLettered', { ...ref, handlerId, reason, deadLetterTopic, error });
      return true;
    } catch (thrown) {
      const error = toError(thrown);
      const signal = error instanceof UndeliverableError ? 'undeliverable' : 'deadLetterFailed';
      signals.emit(signal, { ...ref, deadLetterTopic, error });
      return false;
    }
  }

  #letter(
    { record, partition }: ConsumedRecord,
    handlerId: string | null,
    reason: DeadLetterReason,
    error: Error | null,
    attempts: number,
    firstFailedAt: Date,
  ): DeadLetter {
    return {
      record,
      origin: { topic: partition.topic, partition: partition.partition },
      groupId: this.options.groupId,
      handlerId,
      reason,
      error,
      attempts,
      firstFailedAt,
      failedAt: new Date(this.parts.clock.now()),
    };
  }

  #context({ envelope }: Delivery, { ref, attempts }: Course): EventContext {
    const { sink } = this.parts;
    return new EventContext({ envelope, handlerId: ref.handlerId, attempt: attempts + 1, sink });
  }

  #course(delivery: Delivery, runtime: HandlerRuntime): Course {
    const { record, envelope, contract } = delivery;
    const { groupId } = this.options;
    return {
      ref: {
        groupId,
        topic: record.partition.topic,
        partition: record.partition.partition,
        offset: record.offset,
        handlerId: runtime.id,
        eventId: envelope.eventId,
        eventType: contract.eventType,
      },
      key: this.#key(delivery, runtime),
      attempts: 0,
      firstFailedAt: null,
      verdict: null,
      setbacks: 0,
    };
  }

  #key({ envelope, contract: { eventType } }: Delivery, runtime: HandlerRuntime): string {
    const byPartition = runtime.handler.settings.idempotency?.scope === 'partition';
    const prefixes = this.#prefixes.get(runtime) ?? new Map<string, string>();
    this.#prefixes.set(runtime, prefixes);
    const place = `${envelope.topic}/${eventType}`;
    let prefix = prefixes.get(place);
    if (prefix === undefined) {
      const { groupId } = this.options;
      prefix = claimKeyPrefix({ groupId, handlerId: runtime.id, eventType, topic: envelope.topic });
      prefixes.set(place, prefix);
    }
    return claimKey(prefix, envelope, byPartition);
  }

  #notOurs(record: ConsumedRecord, eventType: string): Opened {
    const { signals } = this.parts;
    signals.emit('notOurs', { ...recordRef(this.options.groupId, record), eventType });
    return { kind: 'settle', outcome: 'not-ours' };
  }

  #tombstone(record: ConsumedRecord): Opened {
    this.parts.signals.emit('tombstone', recordRef(this.options.groupId, record));
    return { kind: 'settle', outcome: 'tombstone' };
  }

  #backoff(tries: number): number {
    const { backoffMs, maxBackoffMs } = this.options;
    return Math.min(backoffMs * 2 ** (tries - 1), maxBackoffMs);
  }
}

/** A record is abandoned when one of its handlers is; else the gravest outcome names it. */
function combine(outcomes: readonly RecordOutcome[]): RecordOutcome {
  const order: readonly RecordOutcome[] = ['abandoned', 'dead-lettered', 'handled'];
  return order.find((outcome) => outcomes.includes(outcome)) ?? 'duplicate';
}
