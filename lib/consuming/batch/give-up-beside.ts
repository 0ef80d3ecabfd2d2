import { backoffMs } from '../backoff.js';
import type { ClaimStep } from '../claim-step.js';
import type { GiveUpStep } from '../give-up-step.js';
import type { HandlerCourse } from '../handler-course.js';
import type { RecordOutcome } from '../record-ending.js';

interface Steps {
  readonly claim: ClaimStep;
  readonly giveUp: GiveUpStep;
}

/**
 * Puts a record that was given up where its verdict says, beside the batches that follow: tries for as
 * long as its partition is ours. Does not reject, but for defects.
 */
export async function giveUpBeside(course: HandlerCourse, steps: Steps): Promise<RecordOutcome> {
  const { partition } = course;
  for (;;) {
    partition.enter();
    try {
      const outcome = await tryToGiveUp(course, steps);
      if (outcome !== null) return outcome;
    } finally {
      partition.exit();
    }
    await partition.sleep(backoffMs(++course.setbacks));
    if (!(await partition.whenActive())) {
      void steps.claim.leave(course);
      return 'abandoned';
    }
  }
}

async function tryToGiveUp(
  course: HandlerCourse,
  { claim, giveUp }: Steps,
): Promise<RecordOutcome | null> {
  const taken = await claim.take(course);
  if (taken === 'duplicate') return taken;
  if (taken !== 'go') await taken.until;
  else {
    const outcome = await giveUp.giveUp(course);
    if (outcome !== null) return outcome;
  }
  await claim.giveBack(course);
  return null;
}
