import type { CrashGuard } from './crash-guard.js';
import type { HandlerCourse } from './handler-course.js';
import type { HandlerRuntime } from './handler-runtime.js';
import type { Quarantine } from './quarantine.js';
import type { Semaphore } from './semaphore.js';

/**
 * Says when a handler may run: it has a slot of its own and of its group's, and no suspect runs alone.
 *
 * With its slots it counts as running in the quarantine; whoever calls it says when it has ended.
 */
export class HandlerSlots {
  constructor(
    /** Handlers of the group running at once; null: no limit beyond their own. */
    private readonly groupSlots: Semaphore | null,
    private readonly quarantine: Quarantine,
    private readonly guard: Pick<CrashGuard, 'admit'>,
  ) {}

  /** Whether it is not the group that keeps a handler from running more. */
  get groupHasRoom(): boolean {
    return this.groupSlots?.available !== false;
  }

  /** Takes a slot if that is all there is to it. */
  tryTake({ suspect, runtime }: HandlerCourse): boolean {
    if (suspect || this.quarantine.closed) return false;
    if (this.groupSlots?.available === false || !runtime.slots.tryAcquire()) return false;
    this.groupSlots?.tryAcquire();
    this.quarantine.began();
    return true;
  }

  /** Waits for a slot; false, without one, when the partition stops first or a suspect may not run now. */
  take(course: HandlerCourse): Promise<boolean> {
    return course.suspect ? this.#takeForSuspect(course) : this.#takeWhenOpen(course);
  }

  free(runtime: HandlerRuntime): void {
    runtime.slots.release();
    this.groupSlots?.release();
  }

  async #takeWhenOpen(course: HandlerCourse): Promise<boolean> {
    while (await this.#acquire(course)) {
      if (!this.quarantine.closed) {
        this.quarantine.began();
        return true;
      }
      // Not with a slot: the suspect that it waits for may need it.
      this.free(course.runtime);
      if (!(await this.quarantine.whenOpen(course.partition))) return false;
    }
    return false;
  }

  async #takeForSuspect(course: HandlerCourse): Promise<boolean> {
    // Slots first: whoever is alone must not wait for anything.
    if (!(await this.#acquire(course))) return false;
    if (await this.guard.admit(course)) {
      this.quarantine.began();
      return true;
    }
    this.free(course.runtime);
    return false;
  }

  async #acquire({ runtime, partition }: HandlerCourse): Promise<boolean> {
    if (!(await runtime.slots.acquire(partition))) return false;
    if (this.groupSlots === null || (await this.groupSlots.acquire(partition))) return true;
    runtime.slots.release();
    return false;
  }
}
