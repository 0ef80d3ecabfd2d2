import type { Clock } from '../contracts/clock.js';
import type { OwnedTopicPartition } from '../kafka/driver.js';
import { OffsetTracker, type TrackedOffset } from '../kafka/offset-tracker.js';
import type { BufferBudget } from './buffer-budget.js';
import { Lanes, type LaneEntry } from './lanes.js';
import type { Interruption } from './semaphore.js';

/**
 * A delivered record's place in its partition: what remains of it when it has settled before an
 * older one, so that its bytes need not be kept for that long.
 */
export class RecordPlace implements TrackedOffset {
  settled = false;
  /** Keys of the marks that its handlers have in the store, to be kept until the watermark is past it. */
  marks: string | string[] | null = null;

  constructor(
    readonly offset: bigint,
    readonly nextOffset: bigint,
    readonly laneKey: string | null,
    /** By `Clock.now`; of a record of a retry topic, when it is due. */
    public deliveredAt: number,
  ) {}

  /** Notes that a handler is done with it. */
  marked(key: string): void {
    if (this.marks === null) this.marks = key;
    else if (typeof this.marks === 'string') this.marks = [this.marks, key];
    else this.marks.push(key);
  }
}

/** Drivers ask again every few seconds: a failure older than this is over, records or not. */
const FETCH_FAILURE_MS = 10_000;

/**
 * A partition while it is ours: its lanes, its tracker, and whether work on it may start.
 *
 *     active ──drain──▶ draining ──resume──▶ active        (a rebalance that left it with us)
 *       └──────lose──────┴──lose──▶ lost                   (for good; a regained one is a new object)
 *
 * While draining nothing starts and every wait ends; what runs may finish. Once lost, nothing of it
 * moves the offset any more: its epoch is refused.
 */
export class OwnedPartition<E extends LaneEntry = LaneEntry>
  implements OwnedTopicPartition, Interruption
{
  readonly topic: string;
  readonly partition: number;
  readonly epoch: number;
  readonly tracker = new OffsetTracker<RecordPlace>();
  readonly lanes = new Lanes<E>();
  /** Bytes of its unsettled records. */
  bytes = 0;
  /** Records of a retry topic that wait in memory until they are due. */
  waiting = 0;
  /** The last offset that the broker acknowledged. */
  committed: bigint | null = null;
  /** Set by flow control alone. */
  paused = false;
  /** Whether an operator holds it: as if it were draining, for as long as they like. */
  #held = false;

  #state: 'active' | 'draining' | 'lost' = 'active';
  #busy = 0;
  #fetchFailure: { readonly error: Error; readonly at: number } | null = null;
  readonly #interrupted = new Set<() => void>();
  readonly #idle = new Set<() => void>();
  readonly #changed = new Set<() => void>();

  constructor(
    owned: OwnedTopicPartition,
    private readonly clock: Clock,
    /** What its bytes count against. */
    readonly budget: BufferBudget,
  ) {
    this.topic = owned.topic;
    this.partition = owned.partition;
    this.epoch = owned.epoch;
  }

  get active(): boolean {
    return this.#state === 'active' && !this.#held;
  }
  get held(): boolean {
    return this.#held;
  }
  get lost(): boolean {
    return this.#state === 'lost';
  }
  /** Why the broker does not give its records; null when it does. */
  get fetchError(): Error | null {
    const failure = this.#fetchFailure;
    const isOver = failure === null || this.clock.now() - failure.at > FETCH_FAILURE_MS;
    return isOver ? null : failure.error;
  }
  /** Null when records have come again. */
  set fetchError(error: Error | null) {
    this.#fetchFailure = error && { error, at: this.clock.now() };
  }
  /** Steps that must finish before the partition can be given up. */
  get busy(): number {
    return this.#busy;
  }

  /** Marks the begin and the end of a step that a drain must wait for. */
  enter(): void {
    this.#busy++;
  }
  exit(): void {
    this.#busy--;
    if (this.#busy === 0) notify(this.#idle);
  }

  drain(): void {
    if (this.#state !== 'active') return;
    this.#state = 'draining';
    notify(this.#interrupted);
  }
  resume(): void {
    if (this.#state !== 'draining') return;
    this.#state = 'active';
    notify(this.#changed);
  }
  /** @param held whether nothing of it may start, until told otherwise. */
  hold(held: boolean): void {
    if (held === this.#held) return;
    this.#held = held;
    if (this.#state === 'active') notify(held ? this.#interrupted : this.#changed);
  }
  lose(): void {
    this.#state = 'lost';
    notify(this.#interrupted);
    notify(this.#changed);
  }

  onInterrupt(fn: () => void): () => void {
    if (!this.active) {
      fn();
      return () => undefined;
    }
    this.#interrupted.add(fn);
    return () => this.#interrupted.delete(fn);
  }

  /** Resolves once nothing is busy and what has just finished is settled. */
  async whenIdle(): Promise<void> {
    while (this.#busy > 0) {
      await new Promise<void>((resolve) => this.#idle.add(resolve));
      // The last step's own continuation settles its record: let it run first.
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
  }

  /** Waits until work may start: true, or false once the partition is lost. */
  async whenActive(): Promise<boolean> {
    while (!this.active && !this.lost) {
      await new Promise<void>((resolve) => this.#changed.add(resolve));
    }
    return this.active;
  }

  /** Waits until that time by `Clock.now`, through drains and holds: true, or false once the partition is lost. */
  async whenDue(at: number): Promise<boolean> {
    while (await this.whenActive()) {
      const waitMs = at - this.clock.now();
      if (waitMs <= 0) return true;
      await this.sleep(waitMs);
    }
    return false;
  }

  /**
   * Waits that long, or until work must stop, or until woken, whichever is first.
   *
   * @param onEarly subscribes to what may end the wait early; answers how to unsubscribe.
   */
  sleep(ms: number, onEarly?: (wake: () => void) => () => void): Promise<void> {
    return new Promise((resolve) => {
      const endings: (() => void)[] = [];
      const wake = (): void => {
        for (const end of endings.splice(0)) end();
        resolve();
      };
      const timer = this.clock.setTimeout(wake, ms);
      endings.push(() => {
        this.clock.clearTimeout(timer);
      });
      if (onEarly !== undefined) endings.push(onEarly(wake));
      endings.push(this.onInterrupt(wake));
    });
  }
}

function notify(listeners: Set<() => void>): void {
  const called = [...listeners];
  listeners.clear();
  for (const listener of called) listener();
}
