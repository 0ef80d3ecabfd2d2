import { policyFor } from '../../failure/error-schedules.js';
import { DeadLetterRequestedError } from '../../kafka-events.errors.js';
import type { EventOutcome } from '../event-outcome.js';
import type { FailedCourse, FailureStep, Fate } from '../failure-step.js';
import type { HandlerCourse } from '../handler-course.js';
import type { CallEnding } from '../timed-call.js';
import type { BatchEntry } from './batch-queue.js';
import type { BatchDecision, EventBatch } from './event-batch.js';

/** A call with a batch that has ended. */
export interface EndedBatch {
  readonly entries: readonly BatchEntry[];
  readonly batch: EventBatch;
  readonly result: CallEnding;
}

const SUCCEEDED: Fate = { kind: 'succeeded' };
const HELD: Fate = { kind: 'held' };
const ABANDONED: Fate = { kind: 'abandoned' };

/**
 * What becomes of each record of a batch: as the handler said; where it said nothing, as the call
 * went. Filters are asked once, about the call.
 *
 * Towards an outage every record counts by itself, but a call that failed whole counts once: one
 * record may be the reason.
 */
export class BatchFates {
  constructor(
    private readonly failure: FailureStep,
    private readonly random: () => number,
  ) {}

  /** One fate for each entry, in their order. Never rejects. */
  async of(ended: EndedBatch): Promise<Fate[]> {
    const { entries, batch, result } = ended;
    const undecided = entries.filter((_, i) => isOpen(batch.decisionOn(i), result));
    const outcome = await this.#askFilters(ended, undecided[0]);
    // The same for all: what failed together comes back together.
    const random = this.random();
    const left = new Set<string>();
    return entries.map((entry, i) => {
      const said = batch.decisionOn(i);
      let fate = isOpen(said, result)
        ? this.#asTheCall(entry, ended, { outcome, random, undecided })
        : this.#asSaid(entry, said, random);
      if (said === null && fate.kind === 'succeeded' && isIn(left, entry.key)) fate = HELD;
      if (fate.kind === 'succeeded') this.failure.succeeded(entry.course);
      else if (leavesItsKey(said, fate) && entry.key !== null) left.add(entry.key);
      return fate;
    });
  }

  #askFilters(
    { batch, result }: EndedBatch,
    first: BatchEntry | undefined,
  ): Promise<EventOutcome | null> | null {
    if (result.kind === 'succeeded' || first === undefined || batch.call.abandoned) return null;
    const { error } = result;
    return this.failure.askFilters(first.course, { error, payload: batch, context: batch });
  }

  #asSaid({ course }: BatchEntry, said: BatchDecision | null, random: number): Fate {
    if (said === null || said.kind === 'succeeded') return SUCCEEDED;
    if (said.kind === 'held') return HELD;
    const attempt = course.attempts + 1;
    const failed = { outcome: null, overdue: false, attempt, random };
    return said.kind === 'retry'
      ? this.failure.fateOf(course, { ...failed, error: said.error, askedMs: said.delayMs })
      : this.failure.fateOf(course, {
          ...failed,
          error: new DeadLetterRequestedError(said.reason),
        });
  }

  #asTheCall(
    entry: BatchEntry,
    { entries, batch, result }: EndedBatch,
    {
      undecided,
      ...judged
    }: Pick<FailedCourse, 'outcome' | 'random'> & {
      readonly undecided: readonly BatchEntry[];
    },
  ): Fate {
    const { course } = entry;
    if (result.kind === 'succeeded') return SUCCEEDED;
    const overdue = result.kind === 'overdue';
    // First of all: an abandoned one, too, keeps its claim until it has come back.
    if (overdue) course.overdue = result.later;
    if (batch.call.abandoned) return ABANDONED;
    const shared = undecided.length > 1;
    const { error } = result;
    const attempt = course.attempts + 1;
    // In the next batch there are fewer, until the one that is to blame is alone.
    if (shared) entry.share = isLastNext(course, error) ? 1 : Math.ceil(entries.length / 2);
    const weighs = !shared ? 'own' : entry === undecided[0] ? 'call' : 'none';
    return this.failure.fateOf(course, { ...judged, error, overdue, attempt, weighs });
  }
}

/** Whether the call decides. What is to be tried again cannot be while the handler is still at it. */
function isOpen(said: BatchDecision | null, result: CallEnding): boolean {
  if (said === null) return true;
  return result.kind === 'overdue' && (said.kind === 'retry' || said.kind === 'held');
}

/**
 * Whether the handler may have left later records of its key unhandled. Whoever asks for a retry cannot
 * know that it was the last attempt.
 */
function leavesItsKey(said: BatchDecision | null, fate: Fate): boolean {
  return fate.kind !== 'given-up' || said?.kind === 'retry';
}

/** Whether the attempt after this one is the last for such an error: nobody is given up for others. */
function isLastNext({ attempts, runtime }: HandlerCourse, error: Error): boolean {
  const policy = policyFor(runtime.handler.settings.retry, error, () => undefined);
  return attempts + 2 >= policy.attempts;
}

function isIn(keys: ReadonlySet<string>, key: string | null): boolean {
  return keys.size > 0 && key !== null && keys.has(key);
}
