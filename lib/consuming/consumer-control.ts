import type { Clock } from '../contracts/clock.js';
import { InvalidTargetError } from '../kafka-events.errors.js';
import { nameOfTarget, type ConsumerTarget, type SignalSink } from '../observability/observer.js';

/** What an operator holds, and for how long. */
export interface HeldTarget {
  readonly target: ConsumerTarget;
  readonly heldMs: number;
}

/** A consumer group, as far as it can be held. */
export interface ControlledGroup {
  readonly groupId: string;
  /** Physical names. */
  readonly topics: readonly string[];
  readonly handlers: readonly ControlledHandler[];
  /** Called whenever the answers may have changed. */
  holdTopics(isHeld: (topic: string) => boolean): void;
  /** Answers how many records held that key of a physical topic. */
  releaseKey(topic: string, key: Buffer): number;
}

/** A key that waits for a dead-lettered record; the topic's physical name. */
export interface KeyTarget {
  readonly topic: string;
  /** Of the records: text, or bytes where it is none. */
  readonly key: string | Uint8Array;
}

export interface ControlledHandler {
  readonly id: string;
  hold(held: boolean): void;
  setConcurrency(concurrency: number): void;
}

/**
 * Pauses and resumes handlers, topics and groups of this process while it runs, and changes how many
 * records a handler takes at once. Inject it.
 *
 * What is paused starts no record; what runs may finish, and is committed. The group is not left, no
 * partition moves, and order holds: records wait where they are, on the broker once a partition's
 * buffer is full. A pause outlives rebalances, not the process: other members go on, and so does this
 * one after a restart. Records that several handlers take wait for all of them.
 */
export class ConsumerControl {
  readonly #groups = new Set<ControlledGroup>();
  readonly #held = new Map<string, { readonly target: ConsumerTarget; readonly since: number }>();
  readonly #concurrency = new Map<string, number>();

  /** @internal Made by the module. */
  constructor(
    private readonly clock: Clock,
    private readonly signals: SignalSink,
  ) {}

  /** What is paused now. */
  get paused(): readonly HeldTarget[] {
    const now = this.clock.now();
    return [...this.#held.values()].map(({ target, since }) => ({ target, heldMs: now - since }));
  }

  /** Starts nothing more of it until `resume`. @throws InvalidTargetError when there is no such thing. */
  pause(target: ConsumerTarget): void {
    this.#check(target);
    if (this.#held.has(nameOfTarget(target))) return;
    this.#held.set(nameOfTarget(target), { target, since: this.clock.now() });
    this.#applyToAll();
    this.signals.emit('paused', { target });
  }

  /** Lets it go on, unless something else holds it. @throws InvalidTargetError when there is no such thing. */
  resume(target: ConsumerTarget): void {
    this.#check(target);
    const held = this.#held.get(nameOfTarget(target));
    if (held === undefined) return;
    this.#held.delete(nameOfTarget(target));
    this.#applyToAll();
    this.signals.emit('resumed', { target, heldMs: this.clock.now() - held.since });
  }

  /**
   * Changes how many records of a handler run at once in this process; fewer takes effect as running
   * ones end. The number stands until the process ends, also where the handler's own would be adaptive.
   *
   * @throws InvalidTargetError when there is no such handler, or the number is not a positive integer.
   */
  setConcurrency(handlerId: string, concurrency: number): void {
    this.#check({ handlerId });
    if (!Number.isSafeInteger(concurrency) || concurrency < 1) {
      throw new InvalidTargetError(
        `the concurrency of ${handlerId} must be a positive integer, not ${String(concurrency)}; ` +
          'to stop the handler, pause it',
      );
    }
    this.#concurrency.set(handlerId, concurrency);
    this.#applyToAll();
    this.signals.emit('concurrencyChanged', { handlerId, concurrency });
  }

  /**
   * Lets a key go on that waits for a dead-lettered record (`onDeadLetter: 'hold-key'`): that record is
   * passed over, its dead letter stays. Ask the process that holds it; its health names it.
   *
   * @throws InvalidTargetError when no record holds that key in this process.
   */
  releaseKey({ topic, key }: KeyTarget): void {
    const bytes = Buffer.from(key);
    const released = [...this.#groups].map((group) => group.releaseKey(topic, bytes));
    if (released.some((records) => records > 0)) return;
    throw new InvalidTargetError(
      `no dead-lettered record of "${topic}" holds that key in this process; health names those that do`,
    );
  }

  /** @internal A group exists from now on; answers how to say that it does not any more. */
  attach(group: ControlledGroup): () => void {
    this.#groups.add(group);
    this.#apply(group);
    return () => this.#groups.delete(group);
  }

  /** @internal What an operator holds of a group, for its health. */
  heldIn({ groupId, topics, handlers }: ControlledGroup): readonly HeldTarget[] {
    return this.paused.filter(({ target }) => {
      if ('groupId' in target) return target.groupId === groupId;
      if ('topic' in target) return topics.includes(target.topic);
      return handlers.some(({ id }) => id === target.handlerId);
    });
  }

  #applyToAll(): void {
    for (const group of this.#groups) this.#apply(group);
  }

  #apply(group: ControlledGroup): void {
    const all = this.#isHeld({ groupId: group.groupId });
    group.holdTopics((topic) => all || this.#isHeld({ topic }));
    for (const handler of group.handlers) {
      const concurrency = this.#concurrency.get(handler.id);
      if (concurrency !== undefined) handler.setConcurrency(concurrency);
      handler.hold(this.#isHeld({ handlerId: handler.id }));
    }
  }

  #isHeld(target: ConsumerTarget): boolean {
    return this.#held.has(nameOfTarget(target));
  }

  #check(target: ConsumerTarget): void {
    const groups = [...this.#groups];
    const [kind, name, known] =
      'groupId' in target
        ? ['group', target.groupId, groups.map(({ groupId }) => groupId)]
        : 'topic' in target
          ? ['topic', target.topic, groups.flatMap(({ topics }) => topics)]
          : ['handler', target.handlerId, groups.flatMap(({ handlers }) => idsOf(handlers))];
    if (known.includes(name)) return;
    throw new InvalidTargetError(
      `there is no ${kind} "${name}" in this process; ` +
        (known.length === 0
          ? 'the consumers have not started'
          : `there are ${[...new Set(known)].join(', ')}`),
    );
  }
}

function idsOf(handlers: readonly ControlledHandler[]): string[] {
  return handlers.map(({ id }) => id);
}
