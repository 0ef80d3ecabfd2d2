import { isPromise, type MaybePromise } from '../../contracts/maybe-promise.js';
import type { EventSink } from '../../publishing/publish-options.js';
import type { ClaimStep } from '../claim-step.js';
import type { CrashGuard } from '../crash-guard.js';
import type { FailureStep, Fate } from '../failure-step.js';
import type { GiveUpStep } from '../give-up-step.js';
import type { HandlerCourse } from '../handler-course.js';
import type { HandlerRuntime } from '../handler-runtime.js';
import type { HandlerSlots } from '../handler-slots.js';
import type { OwnedPartition } from '../owned-partition.js';
import type { Quarantine } from '../quarantine.js';
import type { RecordOutcome } from '../record-ending.js';
import { signalHandled } from '../signal-handled.js';
import type { CallEnding, TimedSurroundings } from '../timed-call.js';
import { BatchCall } from './batch-call.js';
import type { BatchFates } from './batch-fates.js';
import { giveUpBeside } from './give-up-beside.js';
import {
  heldUpBy,
  NOT_BY_TIME,
  sizeTogether,
  type BatchEntry,
  type BatchQueue,
} from './batch-queue.js';
import { EventBatch } from './event-batch.js';
import { readPayloads } from './read-payloads.js';

/** Nothing was decided about it: it goes again as it is. */
const AS_IT_IS: Fate = { kind: 'abandoned' };
const GIVEN_UP: Fate = { kind: 'given-up' };

/** What all batches of a group share. */
export interface BatchSteps extends TimedSurroundings {
  readonly claim: ClaimStep;
  readonly guard: Pick<CrashGuard, 'leave'>;
  readonly quarantine: Quarantine;
  readonly slots: HandlerSlots;
  readonly failure: FailureStep;
  readonly fates: BatchFates;
  readonly giveUp: GiveUpStep;
  readonly sink: EventSink;
  readonly random: () => number;
}

/** Where batches are made of what waits. */
export interface BatchPlace {
  readonly partition: OwnedPartition;
  readonly runtime: HandlerRuntime;
  readonly queue: BatchQueue;
  /** Something in the queue has become ready, or left it. */
  readonly wake: () => void;
}

/**
 * The way of a batch, its steps in this order:
 *
 *     claim all ─ read payloads ─ (rate) ─ slot ─ handle ─ fates ─ complete all ─ settle
 *       │           │                                      └ retry, held: back into the queue
 *       │           └ unreadable: judged alone               given up: dead letter, beside the next batch
 *       └ done, parked or dead: duplicate · in progress elsewhere: back into the queue
 *
 * What goes back is in its old place there, so later records of its key wait for it. Claims,
 * completions and what is given back go to the store in one call each.
 */
export class BatchRun {
  /** Those of the present batch of which it is not known yet where they go. */
  readonly #open = new Set<BatchEntry>();

  constructor(
    private readonly place: BatchPlace,
    private readonly steps: BatchSteps,
  ) {}

  /** Takes records that have left the queue through one call, or back into it. Never rejects. */
  async run(entries: readonly BatchEntry[]): Promise<void> {
    for (const entry of entries) this.#open.add(entry);
    try {
      const claimed = this.#together(await this.#claim(entries));
      const readable = await this.#read(claimed);
      const [first] = readable;
      if (first === undefined) return;
      if (await this.#mayCall(readable, first)) await this.#conclude(readable, first);
      else await this.#goAgain(readable);
      // A suspect is its batch's only record, and watched until its claim is over.
      if (!first.isEnding) this.steps.guard.leave(first.course);
    } catch (error) {
      this.#fault(error);
    }
  }

  async #claim(entries: readonly BatchEntry[]): Promise<readonly BatchEntry[]> {
    const { claim } = this.steps;
    // All at once, then their answers: that is one call of the store.
    const asked = entries.map(({ course }) => claim.take(course));
    const claimed: BatchEntry[] = [];
    const waiting: BatchEntry[] = [];
    const givenUp = new Map<BatchEntry, Fate>();
    for (const [i, entry] of entries.entries()) {
      const answer = asked[i];
      const taken = isPromise(answer) ? await answer : answer;
      if (taken === 'go' && entry.course.verdict !== null) givenUp.set(entry, GIVEN_UP);
      else if (taken === 'go') claimed.push(entry);
      else if (taken === 'duplicate') this.#end(entry, 'duplicate');
      else if (taken !== undefined) {
        waiting.push(entry);
        this.#readyAfter(entry, taken.until);
      }
    }
    this.#putBack(waiting);
    await this.#apply(givenUp);
    return this.#free(claimed, [...waiting, ...givenUp.keys()]);
  }

  /**
   * Sends back those that come after one of their key that waits, be it for its dead letter only; answers
   * the others.
   */
  async #free(
    entries: readonly BatchEntry[],
    waiting: readonly BatchEntry[],
  ): Promise<readonly BatchEntry[]> {
    const heldUp = heldUpBy(waiting, entries);
    if (heldUp.size === 0) return entries;
    await this.#goAgain([...heldUp]);
    return entries.filter((entry) => !heldUp.has(entry));
  }

  /** Nothing was decided about them. */
  #goAgain(entries: readonly BatchEntry[]): Promise<void> {
    return this.#apply(new Map(entries.map((entry) => [entry, AS_IT_IS])));
  }

  /** Those that may share a call; the others are next, and keep their claims. */
  #together(claimed: readonly BatchEntry[]): readonly BatchEntry[] {
    for (const entry of claimed) {
      if (mustBeAlone(entry.course)) entry.share = 1;
    }
    const size = sizeTogether(claimed);
    if (size === claimed.length) return claimed;
    this.#putBack(claimed.slice(size));
    return claimed.slice(0, size);
  }

  async #read(claimed: readonly BatchEntry[]): Promise<readonly BatchEntry[]> {
    const { clock, failure } = this.steps;
    const unreadable = await readPayloads(claimed, clock);
    if (unreadable.length === 0) return claimed;
    const random = this.steps.random();
    const fates = new Map(
      unreadable.map(({ entry, error }) => {
        const attempt = entry.course.attempts + 1;
        const failed = { error, outcome: null, overdue: false, attempt, random };
        return [entry, failure.fateOf(entry.course, failed)];
      }),
    );
    await this.#apply(fates);
    const readable = claimed.filter((entry) => !fates.has(entry));
    return this.#free(readable, [...fates.keys()]);
  }

  /** Waits for the handler's rate and for a slot; false when the partition stops first. */
  async #mayCall({ length }: readonly BatchEntry[], { course }: BatchEntry): Promise<boolean> {
    const { partition, runtime } = this.place;
    const waitMs = runtime.rate?.reserve(length) ?? 0;
    if (waitMs > 0) {
      await partition.sleep(waitMs);
      if (!partition.active) return false;
    }
    // A batch that a drain flushes has begun before; an operator's pause flushes none.
    if (partition.held || partition.lost) return false;
    const { slots } = this.steps;
    return slots.tryTake(course) || slots.take(course);
  }

  async #conclude(entries: readonly BatchEntry[], first: BatchEntry): Promise<void> {
    const batch = this.#batchOf(entries, first);
    const result = await this.#call(entries, first, batch);
    const fates = await this.steps.fates.of({ entries, batch, result });
    await this.#apply(new Map(entries.map((entry, i) => [entry, fates[i] ?? AS_IT_IS])));
  }

  async #call(
    entries: readonly BatchEntry[],
    first: BatchEntry,
    batch: EventBatch,
  ): Promise<CallEnding> {
    const { signals, clock, slots, quarantine } = this.steps;
    const { runtime } = this.place;
    const startedAt = clock.now();
    const courses = entries.map(({ course }) => course);
    const result = await new BatchCall(first.course, courses, batch, this.steps).run();
    quarantine.ended();
    const durationMs = clock.now() - startedAt;
    for (const { course } of entries) course.durationMs = durationMs;
    const { groupId, topic, partition, handlerId } = first.course.ref;
    const { length: records } = entries;
    signals.emit('batchEnded', { groupId, topic, partition, handlerId, records, durationMs });
    if (result.kind === 'overdue') {
      // It still uses what its slots stand for.
      signals.emit('slotLeaked', first.course.ref);
      void result.later.then(() => {
        slots.free(runtime);
      });
    } else {
      slots.free(runtime);
    }
    return result;
  }

  #batchOf(entries: readonly BatchEntry[], first: BatchEntry): EventBatch {
    const { sink } = this.steps;
    const courses = entries.map(({ course }) => course);
    const { topic, partition, handlerId } = first.course.ref;
    return new EventBatch({
      ...{ topic, partition, handlerId },
      records: courses.map(({ delivery }) => delivery.envelope.record),
      payloads: courses.map(({ payload }) => payload),
      deliveryOf: (index) => {
        const course = courses[index];
        if (course === undefined) throw new RangeError(`no record ${String(index)}`);
        const { delivery, ref, key, attempts } = course;
        return {
          envelope: delivery.envelope,
          handlerId: ref.handlerId,
          key,
          attempt: attempts + 1,
          sink,
          holder: course,
        };
      },
    });
  }

  /** Does what the fates say, all at once: in one turn the store is called once for what is alike. */
  async #apply(fates: ReadonlyMap<BatchEntry, Fate>): Promise<void> {
    const { claim, clock } = this.steps;
    const back: BatchEntry[] = [];
    for (const [entry, fate] of fates) {
      if (fate.kind === 'succeeded') continue;
      back.push(entry);
      if (fate.kind === 'retry') entry.readyAt = entry.since = clock.now() + fate.delayMs;
      if (fate.kind === 'given-up') endBeside(entry);
    }
    this.#putBack(back);
    const waits: Promise<void>[] = [];
    for (const [entry, fate] of fates) {
      if (fate.kind === 'given-up') {
        void this.#giveUp(entry);
      } else {
        const done =
          fate.kind === 'succeeded' ? this.#complete(entry) : claim.giveBack(entry.course);
        if (isPromise(done)) waits.push(done);
      }
    }
    if (waits.length > 0) await Promise.all(waits);
  }

  #complete(entry: BatchEntry): MaybePromise<void> {
    const { claim, signals } = this.steps;
    const completed = (marked: 'marked' | 'unmarked'): void => {
      if (marked === 'unmarked' && this.place.partition.lost) {
        this.#end(entry, 'abandoned');
        return;
      }
      signalHandled(signals, entry.course);
      this.#end(entry, 'handled');
    };
    const marking = claim.complete(entry.course, 'done');
    if (isPromise(marking)) return marking.then(completed);
    completed(marking);
    return undefined;
  }

  /** Its key waits for the dead letter, other records do not. */
  async #giveUp(entry: BatchEntry): Promise<void> {
    const { queue, wake } = this.place;
    const { course } = entry;
    const { record } = course.delivery;
    try {
      const outcome = await giveUpBeside(course, this.steps);
      queue.remove(entry);
      course.ending.ended(record, outcome);
      wake();
    } catch (error) {
      this.steps.claim.drop(course);
      course.ending.faulted(record, error);
    } finally {
      this.steps.guard.leave(course);
    }
  }

  #readyAfter(entry: BatchEntry, until: Promise<void>): void {
    entry.readyAt = NOT_BY_TIME;
    void until.then(() => {
      entry.readyAt = 0;
      this.place.wake();
    });
  }

  #putBack(entries: readonly BatchEntry[]): void {
    this.place.queue.putBack(entries);
    for (const entry of entries) this.#open.delete(entry);
  }

  #end(entry: BatchEntry, outcome: RecordOutcome): void {
    this.#open.delete(entry);
    const { course } = entry;
    course.ending.ended(course.delivery.record, outcome);
  }

  /** A defect of ours: the records that it struck never settle, and their keys wait with them. */
  #fault(error: unknown): void {
    const struck = [...this.#open];
    for (const { course } of struck) {
      this.steps.claim.drop(course);
      this.steps.guard.leave(course);
      course.ending.faulted(course.delivery.record, error);
    }
    struck.forEach(endBeside);
    this.#putBack(struck);
  }
}

function endBeside(entry: BatchEntry): void {
  entry.isEnding = true;
  entry.readyAt = NOT_BY_TIME;
}

/**
 * Nobody is given up for what others did. So alone is what has one attempt left, as what comes from a
 * retry topic always has, and what may have killed its process.
 */
function mustBeAlone({ attempts, level, suspect, runtime }: HandlerCourse): boolean {
  const { retry } = runtime.handler.settings;
  return level > 0 || suspect || (attempts > 0 && attempts >= retry.attempts - 1);
}
