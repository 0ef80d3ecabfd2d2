import type { CrashLoopPolicy } from '../failure/crash-loop.js';
import type { Claims, HeldClaim } from '../idempotency/claims.js';
import type { Suspicion } from '../idempotency/idempotency-store.js';
import { CrashLoopError, toError } from '../kafka-events.errors.js';
import type { SignalSink } from '../observability/observer.js';
import { backoffMs } from './backoff.js';
import type { HandlerCourse } from './handler-course.js';
import type { Quarantine } from './quarantine.js';

export interface CrashGuardOptions {
  readonly groupId: string;
  readonly onStoreError: 'pause' | 'process';
  readonly policy: CrashLoopPolicy;
}

/**
 * Finds the record that kills its process, and none that only ran beside it.
 *
 * Whoever was claimed when a process died is a suspect, and from then on has the store know before it
 * runs. One whose process died under it again and again runs alone; if the process dies of that, too,
 * again and again, it is dead-lettered without a further run. A run that comes back, however it ended,
 * clears it.
 */
export class CrashGuard {
  constructor(
    private readonly options: CrashGuardOptions,
    private readonly quarantine: Quarantine,
    private readonly claims: Claims,
    private readonly signals: SignalSink,
  ) {}

  /** A claim was granted of a suspect: says so, and gives the record up where there is no doubt. */
  suspect(course: HandlerCourse, { crashes, crashesAlone }: Suspicion): void {
    // Claimed when a process died, and perhaps not even begun: that is hundreds.
    if (crashes === 0) return;
    this.signals.emit('crashSuspected', { ...course.ref, crashes, crashesAlone });
    if (crashesAlone < this.options.policy.deadLetterAfter) return;
    const error = new CrashLoopError(course.ref.handlerId, crashes, crashesAlone);
    course.verdict ??= { reason: 'crash-loop', parkedUntil: null, error };
  }

  /**
   * Waits until a suspect may run, alone if it must be, and has the store know; false when it may not
   * run now. It lasts until `leave`, in either case. Never rejects.
   */
  async admit(course: HandlerCourse): Promise<boolean> {
    const { claim, partition, runtime, ref } = course;
    const suspicion = claim?.suspicion ?? null;
    if (claim === null || suspicion === null) return false;
    const alone = suspicion.crashes >= this.options.policy.suspectAfter;
    const entered = alone
      ? await this.quarantine.enter(ref, partition)
      : await this.quarantine.whenOpen(partition);
    if (!entered) return false;
    course.watched = alone ? 'alone' : 'together';
    if (!alone) this.quarantine.began();
    // It may have been a long wait.
    if (!partition.active || runtime.held) return false;
    if (!(await this.#start(course, claim, alone))) return false;
    if (alone) this.signals.emit('runsAlone', { ...ref, ...suspicion });
    return true;
  }

  /**
   * What was admitted is over, its claim included: marked or given back. Before that nobody else may
   * begin who might kill the process, or the death would be counted against it.
   */
  leave(course: HandlerCourse): void {
    const { watched } = course;
    if (watched === null) return;
    course.watched = null;
    if (watched === 'alone') this.quarantine.leave();
    else this.quarantine.ended();
  }

  async #start(course: HandlerCourse, claim: HeldClaim, alone: boolean): Promise<boolean> {
    const { groupId, onStoreError } = this.options;
    try {
      return await this.claims.start(claim, alone);
    } catch (error) {
      this.signals.emit('storeFailed', { groupId, operation: 'start', error: toError(error) });
      if (onStoreError === 'process') return true;
      this.leave(course);
      await course.partition.sleep(backoffMs(++course.setbacks));
      return false;
    }
  }
}
