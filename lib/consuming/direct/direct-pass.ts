import type { Clock } from '../../contracts/clock.js';
import { toError } from '../../kafka-events.errors.js';
import type { CompletedState } from '../../idempotency/idempotency-store.js';
import type { SignalSink } from '../../observability/observer.js';
import { placeOf } from '../admission.js';
import type { ClaimStep } from '../claim-step.js';
import type { CrashGuard } from '../crash-guard.js';
import { judgeFailure } from '../failure-judge.js';
import type { FailedCall, FailureStep } from '../failure-step.js';
import type { HandleStep } from '../handle-step.js';
import type { CallResult } from '../handler-call.js';
import type { HandlerCourse } from '../handler-course.js';
import { signalHandled } from '../signal-handled.js';
import type { DirectOutcome } from './direct-reply.js';

/** The steps of the group, with a claim step for which a store that is away is always a reason to wait. */
export interface DirectSteps {
  readonly claim: ClaimStep;
  readonly guard: Pick<CrashGuard, 'leave'>;
  readonly handle: HandleStep;
  readonly failure: FailureStep;
}

export interface DirectPassOptions {
  /** How long a mark lasts at the least: the copy from Kafka may be long in coming. */
  readonly rememberMs: number;
}

/** What became of one handler's part, and why it did not succeed. */
export interface DirectResult {
  readonly outcome: DirectOutcome;
  readonly error: Error | null;
  /** Of a handler that has not come back although its time is long over: resolves when it has. Else null. */
  readonly later: Promise<void> | null;
}

/** Of an event whose claim is closed. In a retry topic it is still to be handled; in a dead-letter topic it is given up. */
const OF_FOUND = {
  done: 'duplicate',
  parked: 'in-progress',
  dead: 'rejected',
} as const satisfies Record<CompletedState, DirectOutcome>;

/**
 * The one pass that a handler makes over an event that was delivered to it directly:
 *
 *     place in its rate ─ claim ─ slot ─ handle ─ complete
 *                           │               └ failed: filters; the claim is given back, nothing is counted
 *                           └ done: duplicate · in progress, parked, or the store is away: not now · dead: rejected
 *
 * These are the steps of the pipeline. What differs is that nothing is waited for and tried again:
 * whoever delivers is told, and the copy from Kafka goes the whole way.
 */
export class DirectPass {
  constructor(
    private readonly options: DirectPassOptions,
    private readonly steps: DirectSteps,
    private readonly signals: SignalSink,
    private readonly clock: Clock,
  ) {}

  /** Takes a course, which has its ticket, to its end, and gives the ticket back. Never rejects. */
  async run(course: HandlerCourse): Promise<DirectResult> {
    course.partition.enter();
    const { windowMs = 0 } = course.runtime.handler.settings.idempotency ?? {};
    course.longerMs = Math.max(0, this.options.rememberMs - windowMs);
    try {
      return await this.#pass(course);
    } catch (thrown) {
      // A defect: nobody knows how far it came, so the claim is left to its lease.
      const error = toError(thrown);
      this.steps.claim.drop(course);
      this.signals.emit('engineFault', { ...course.ref, error });
      return { outcome: 'failed', error, later: null };
    } finally {
      course.returnTicket();
      this.steps.guard.leave(course);
      course.partition.exit();
    }
  }

  async #pass(course: HandlerCourse): Promise<DirectResult> {
    const { partition, runtime } = course;
    if (runtime.held || runtime.breaker?.outage) return ended('held');
    const waitMs = placeOf(course);
    if (waitMs > 0) await partition.sleep(waitMs);
    if (!partition.active) return interrupted(course);
    const taken = await this.steps.claim.take(course);
    if (taken === 'duplicate') return ended(OF_FOUND[course.found ?? 'done']);
    if (taken !== 'go') return this.#notNow(course);
    // What may have killed a process goes the way on which that is watched.
    if (course.verdict !== null || course.suspect) return this.#giveBack(course, ended('held'));
    if (!course.partition.active) return this.#giveBack(course, interrupted(course));
    const result = await this.#call(course);
    if (result === null) return this.#giveBack(course, interrupted(course));
    if (result.kind !== 'succeeded') return this.#failed(course, result);
    this.steps.failure.succeeded(course);
    return this.#complete(course);
  }

  #call(course: HandlerCourse): Promise<CallResult | null> {
    return new Promise((resolve) => {
      this.steps.handle.run(course, (_, result) => {
        resolve(result);
      });
    });
  }

  async #complete(course: HandlerCourse): Promise<DirectResult> {
    const completed = await this.steps.claim.complete(course, 'done', course.longerMs);
    if (completed === 'unmarked') return ended('store-away');
    signalHandled(this.signals, course);
    return ended('handled');
  }

  async #failed(course: HandlerCourse, failed: FailedCall): Promise<DirectResult> {
    const { error, context } = failed;
    const overdue = failed.kind === 'overdue';
    const later = failed.kind === 'overdue' ? failed.later : null;
    if (overdue) {
      // What still runs keeps its claim; it is given back, or its lease ends it, when that has come back.
      course.overdue = later;
      void this.steps.claim.leave(course);
    }
    if (context.call.abandoned) return this.#giveBack(course, { ...ended('not-ready'), later });
    const shown = { error, payload: course.payload, context };
    const outcome = await this.steps.failure.askFilters(course, shown);
    const { attempt } = context;
    const judgement = judgeFailure(
      { course, error, outcome, overdue, attempt, random: 0 },
      (thrown) => {
        this.signals.emit('classifyFailed', { ...course.ref, error: thrown });
      },
    );
    if (judgement.kind === 'succeeded') return this.#complete(course);
    const rejected =
      judgement.kind === 'dead-letter' &&
      judgement.reason !== 'retries-exhausted' &&
      judgement.reason !== 'timeout';
    this.signals.emit('directFailed', { ...course.ref, error });
    return this.#giveBack(course, { outcome: rejected ? 'rejected' : 'failed', error, later });
  }

  /** Claimed by somebody else, or the store did not answer: then we may hold it without knowing. */
  #notNow(course: HandlerCourse): DirectResult {
    const away = course.setbacks > 0;
    if (away) void this.steps.claim.giveBack(course);
    return ended(away ? 'store-away' : 'in-progress');
  }

  async #giveBack(course: HandlerCourse, result: DirectResult): Promise<DirectResult> {
    await this.steps.claim.giveBack(course);
    return result;
  }
}

function ended(outcome: DirectOutcome): DirectResult {
  return { outcome, error: null, later: null };
}

/** Why nothing may start any more. */
function interrupted({ partition }: HandlerCourse): DirectResult {
  return ended(partition.lost ? 'late' : 'not-ready');
}
