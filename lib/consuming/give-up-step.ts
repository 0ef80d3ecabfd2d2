import type { ClaimStep } from './claim-step.js';
import type { DeadLetterStep } from './dead-letter-step.js';
import type { HandlerCourse } from './handler-course.js';

/** Puts a record that a handler gave up where its verdict says, and marks the claim accordingly. */
export class GiveUpStep {
  constructor(
    private readonly claim: ClaimStep,
    private readonly deadLetter: DeadLetterStep,
  ) {}

  /** True once the broker has acknowledged it and the claim is marked: only then may it settle. Never rejects. */
  async giveUp(course: HandlerCourse): Promise<boolean> {
    const { delivery, verdict, ref, attempts, firstFailedAt } = course;
    if (verdict === null) return false;
    const givenUp = { ...verdict, handlerId: ref.handlerId, attempts, firstFailedAt };
    if (!(await this.deadLetter.write(delivery.record, givenUp))) return false;
    await this.claim.complete(course, 'dead');
    return true;
  }
}
