import type { ClaimStep } from './claim-step.js';
import type { DeadLetterStep } from './dead-letter-step.js';
import type { HandlerCourse, Verdict } from './handler-course.js';
import type { ParkStep } from './park-step.js';

/** By which the mark of a record that holds its key outlives others: somebody must look at it first. */
const HELD_MS = 7 * 24 * 60 * 60_000;

/** Puts a record that a handler gave up where its verdict says, and marks the claim accordingly. */
export class GiveUpStep {
  constructor(
    private readonly claim: ClaimStep,
    private readonly park: ParkStep,
    private readonly deadLetter: DeadLetterStep,
  ) {}

  /**
   * Answers where the record is, once the broker has acknowledged it and the claim is marked: only
   * then may it settle. Null when the broker has not, or when
   * the record may be done after all: it is to be claimed again. Never rejects.
   */
  async giveUp(course: HandlerCourse): Promise<'parked' | 'dead-lettered' | null> {
    const { verdict } = course;
    if (verdict === null) return null;
    if (course.joined) {
      // Its handler may have failed after it had committed: the next claim tells.
      course.joined = false;
      return null;
    }
    const { parkedUntil } = verdict;
    if (parkedUntil === null) return this.#bury(course, verdict);
    const parked = await this.park.write(course, verdict.error, parkedUntil);
    if (parked === 'too-large') {
      course.verdict = { ...verdict, parkedUntil: null };
      return this.#bury(course, verdict);
    }
    // The mark must outlive the wait: until then it is what tells a duplicate.
    if (parked !== null) {
      await this.claim.complete(course, 'parked', this.park.waitMs(parkedUntil));
    }
    return parked;
  }

  async #bury(course: HandlerCourse, { reason, error }: Verdict): Promise<'dead-lettered' | null> {
    const { ref, attempts, firstFailedAt } = course;
    const { envelope } = course.delivery;
    const placed = { record: envelope.record, partition: envelope };
    const givenUp = { handlerId: ref.handlerId, reason, error, attempts, firstFailedAt };
    if (!(await this.deadLetter.write(placed, givenUp))) return null;
    const held = course.runtime.handler.settings.onDeadLetter === 'hold-key';
    await this.claim.complete(course, 'dead', held ? HELD_MS : 0);
    return 'dead-lettered';
  }
}
