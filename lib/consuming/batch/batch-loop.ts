import type { BatchPolicy } from '../handler-options.js';
import { endProbe } from '../admission.js';
import type { HandlerCourse } from '../handler-course.js';
import type { HandlerRuntime } from '../handler-runtime.js';
import type { OwnedPartition } from '../owned-partition.js';
import { BatchEntry, BatchQueue } from './batch-queue.js';
import { BatchRun, type BatchSteps } from './batch-run.js';

/** No timer is longer: it is only for what a wake-up forgot. */
const LONGEST_WAIT_MS = 60_000;

/**
 * Makes batches for one handler of what comes from one partition, one after another.
 *
 *     (empty) ──add──▶ gathering ──full, or waited for maxWaitMs──▶ running ──▶ gathering, or (empty)
 *                        │ ▲                                         ▲
 *                        │ └── whenActive ── paused by an operator   │
 *                        └──── revoked, or shutdown: flushed once ───┘
 *
 * A drain waits for a loop that is gathering, since what has come by then makes one last batch.
 */
export class BatchLoop {
  readonly #queue = new BatchQueue();
  readonly #run: BatchRun;
  readonly #policy: BatchPolicy;
  readonly #inLine: boolean;
  #turning = false;
  #places = 0;
  /** Records that must still come before it is worth looking at the queue again. */
  #missing = 0;
  #wake: (() => void) | null = null;

  constructor(
    private readonly partition: OwnedPartition,
    private readonly runtime: HandlerRuntime,
    policy: BatchPolicy,
    private readonly steps: BatchSteps,
  ) {
    this.#policy = policy;
    this.#inLine = runtime.handler.settings.ordering === 'partition';
    const wake = (): void => this.#wake?.();
    this.#run = new BatchRun({ partition, runtime, queue: this.#queue, wake }, steps);
  }

  add(course: HandlerCourse): void {
    const since = course.delivery.record.place.deliveredAt;
    this.#queue.push(new BatchEntry(course, this.#places++, since, this.#inLine));
    this.#missing--;
    if (!this.#turning) void this.#turn();
    else if (this.#missing <= 0) this.#wake?.();
  }

  async #turn(): Promise<void> {
    const { partition } = this;
    this.#turning = true;
    while (this.#queue.size > 0 && (await partition.whenActive())) {
      partition.enter();
      try {
        if (await this.#gather()) await this.#round();
        if (!partition.active) await this.#giveBackClaims();
      } finally {
        partition.exit();
      }
      // Quick handlers must not starve timers and sockets.
      await new Promise((resolve) => setImmediate(resolve));
    }
    this.#turning = false;
    if (partition.lost) this.#abandon();
  }

  /** Waits until it is time for a batch; false when there is none, or the partition stops first. */
  async #gather(): Promise<boolean> {
    const { partition, steps } = this;
    const { maxSize, maxWaitMs } = this.#policy;
    while (this.#queue.size > 0) {
      const now = steps.clock.now();
      const { entries, room, since, dueAt } = this.#queue.choose(maxSize, now);
      const isGathering = entries.length > 0;
      const waitMs = (isGathering ? since + maxWaitMs : dueAt) - now;
      if (isGathering && (room === 0 || waitMs <= 0)) return true;
      await this.#wait(waitMs, isGathering ? room : 1);
      if (!partition.active) return isGathering && !partition.held && !partition.lost;
    }
    return false;
  }

  #wait(ms: number, missing: number): Promise<void> {
    return this.partition.sleep(Math.min(ms, LONGEST_WAIT_MS), (wake) => {
      this.#missing = missing;
      this.#wake = wake;
      return () => {
        this.#wake = null;
      };
    });
  }

  /** One batch, if the handler may run. */
  async #round(): Promise<void> {
    const { partition } = this;
    const { tickets, breaker } = this.runtime;
    if (!(await tickets.acquire(partition))) return;
    let isHeld = false;
    try {
      const admission = breaker?.admit() ?? 'go';
      isHeld = admission === 'wait';
      // In an outage one record tries, for all of them.
      if (!isHeld) await this.#batch(admission === 'probe');
    } finally {
      tickets.release();
    }
    if (isHeld && breaker !== null) {
      await partition.sleep(breaker.waitMs, (wake) => breaker.onChange(wake));
    }
  }

  async #batch(isProbe: boolean): Promise<void> {
    const size = isProbe ? 1 : this.#policy.maxSize;
    const { entries } = this.#queue.choose(size, this.steps.clock.now());
    this.#queue.take(entries);
    const [first] = entries;
    if (first === undefined) {
      if (isProbe) this.runtime.breaker?.probeGivenUp();
      return;
    }
    first.course.probing = isProbe;
    await this.#run.run(entries);
    endProbe(first.course);
  }

  /** A partition that stops holds no claims of what waits; other members may be given it. */
  async #giveBackClaims(): Promise<void> {
    const waiting = [...this.#queue].filter(({ isEnding }) => !isEnding);
    await Promise.all(waiting.map(({ course }) => this.steps.claim.giveBack(course)));
  }

  #abandon(): void {
    for (const entry of this.#queue) {
      if (entry.isEnding) continue;
      const { course } = entry;
      void this.steps.claim.leave(course);
      course.ending.ended(course.delivery.record, 'abandoned');
    }
  }
}
