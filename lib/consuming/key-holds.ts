import type { Clock } from '../contracts/clock.js';
import type { SignalSink } from '../observability/observer.js';
import type { ClaimStep } from './claim-step.js';
import type { HandlerCourse } from './handler-course.js';
import type { RecordOutcome } from './record-ending.js';

/** A key whose records wait for a dead-lettered one. */
export interface HeldKey {
  readonly handlerId: string;
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
  readonly key: Buffer;
  /** By `Clock.now`. */
  readonly since: number;
}

const FIRST_CHECK_MS = 5_000;
const LONGEST_CHECK_MS = 30_000;

/** Events whose duplicates are remembered to hold nothing any more. */
const MAX_RELEASED = 10_000;

/**
 * Keys of handlers with `onDeadLetter: 'hold-key'`: their lanes stand at a record that is in the
 * dead-letter topic but does not settle, so that no later record of the key runs, here or after a
 * restart, until a replay has completed it, which is looked for, or an operator lets the key go.
 */
export class KeyHolds {
  readonly #held = new Set<Hold>();
  /** Claims of events that an operator let go. */
  readonly #released = new Set<string>();

  constructor(
    private readonly claims: ClaimStep,
    private readonly signals: SignalSink,
    private readonly clock: Clock,
  ) {}

  get held(): readonly HeldKey[] {
    return [...this.#held];
  }

  /** Whether a record that ended so is to hold its key. One without a key has no order to keep. */
  wants({ runtime, delivery, key, found }: HandlerCourse, outcome: RecordOutcome): boolean {
    if (runtime.handler.settings.onDeadLetter === 'continue') return false;
    if (delivery.record.laneKey === null || delivery.record.record.key === null) return false;
    return (outcome === 'dead-lettered' || found === 'dead') && !this.#released.has(key);
  }

  /** Resolves when the record may settle, or is abandoned. Never rejects. */
  async hold(course: HandlerCourse): Promise<RecordOutcome> {
    const { partition, ref } = course;
    const hold = new Hold(course, this.clock.now());
    this.#held.add(hold);
    const key = hold.key.toString();
    this.signals.emit('keyHeld', { ...ref, key });
    const by = await this.#untilReleased(hold, course);
    this.#held.delete(hold);
    if (by === null || partition.lost) return 'abandoned';
    this.signals.emit('keyReleased', { ...ref, key, by, heldMs: this.clock.now() - hold.since });
    return 'dead-lettered';
  }

  /** Lets keys of a physical topic go; answers how many records held them. */
  release(topic: string, key: Buffer): number {
    const released = [...this.#held].filter((hold) => hold.topic === topic && hold.key.equals(key));
    if (this.#released.size > MAX_RELEASED) this.#released.clear();
    for (const hold of released) {
      this.#released.add(hold.claimKey);
      hold.release();
    }
    return released.length;
  }

  async #untilReleased(hold: Hold, course: HandlerCourse): Promise<'operator' | 'replay' | null> {
    const { partition } = course;
    for (let checkMs = FIRST_CHECK_MS; ; checkMs = Math.min(checkMs * 2, LONGEST_CHECK_MS)) {
      if (!hold.released) await partition.sleep(checkMs, (wake) => hold.onRelease(wake));
      if (!(await partition.whenActive())) return null;
      if (hold.released) return 'operator';
      partition.enter();
      const done = await this.claims.isDoneAfterAll(course);
      partition.exit();
      if (done) return 'replay';
    }
  }
}

class Hold implements HeldKey {
  readonly handlerId: string;
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
  readonly key: Buffer;
  readonly claimKey: string;
  released = false;
  #wake: () => void = () => undefined;

  constructor(
    { ref, delivery, key }: HandlerCourse,
    readonly since: number,
  ) {
    this.handlerId = ref.handlerId;
    this.topic = ref.topic;
    this.partition = ref.partition;
    this.offset = ref.offset;
    this.key = delivery.record.record.key ?? Buffer.alloc(0);
    this.claimKey = key;
  }

  release(): void {
    this.released = true;
    this.#wake();
  }

  onRelease(wake: () => void): () => void {
    this.#wake = wake;
    return () => {
      this.#wake = () => undefined;
    };
  }
}
