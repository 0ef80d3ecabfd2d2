import type { Ordering } from '../consuming/handler-options.js';
import type { HandlerRuntime } from '../consuming/handler-runtime.js';
import { sleep, type Clock } from '../contracts/clock.js';
import type { AdminDriver, GroupLag } from '../kafka/driver.js';
import { InvalidTargetError } from '../kafka-events.errors.js';
import { adviseOn, type PartitionAdvice } from './partition-advice.js';
import { effectOfAdding, type PartitionEffect } from './partition-effect.js';
import type { HandlerFigures, TopicFigures } from './topic-figures.js';

export interface AdviceOptions {
  /** One group of this process. Default: all. */
  readonly groupId?: string;
  /** One topic, by its physical name. Default: all that the groups consume. */
  readonly topic?: string;
  /** A lag that is gone within this, in milliseconds, needs nothing. Default 10 minutes. */
  readonly targetDrainMs?: number;
  /** How long consumption is observed, in milliseconds, from 1 s to 10 minutes. Default 10 s. */
  readonly observeMs?: number;
}

/** A consumer group of this process, as the scaler sees it. */
export interface ScaledGroup {
  readonly groupId: string;
  /** Physical names. */
  readonly topics: readonly string[];
  readonly handlers: readonly HandlerRuntime[];
  handlersOf(topic: string): readonly HandlerRuntime[];
  orderingOf(topic: string): Ordering;
}

/** What the scaler looks at. */
export interface ScalerSources {
  readonly admin: () => AdminDriver;
  readonly groups: () => readonly ScaledGroup[];
  /** Milliseconds in which the event loop was busy since the process began. */
  readonly busyMs: () => number;
  readonly clock: Clock;
}

const TARGET_DRAIN_MS = 10 * 60_000;
const OBSERVE_MS = 10_000;
const [SHORTEST_MS, LONGEST_MS] = [1_000, 10 * 60_000];
/** Looks at the handlers' slots in one observation. */
const LOOKS = 40;

/**
 * Advises on the partition counts of topics: observes for a while how groups of this process consume
 * them, tells what keeps them from being quicker, and what adding partitions would do to the order of
 * keys. It changes nothing. Inject it.
 */
export class PartitionScaler {
  /** @internal Made by the module. */
  constructor(private readonly sources: ScalerSources) {}

  /**
   * Advice for each topic of each group, after `observeMs`.
   *
   * @throws InvalidTargetError when the group or topic is none of this process, or a time is out of range.
   * @throws DriverError when the broker does not answer.
   */
  async advise(options: AdviceOptions = {}): Promise<readonly PartitionAdvice[]> {
    const { targetDrainMs = TARGET_DRAIN_MS, observeMs = OBSERVE_MS } = options;
    checkMs('observeMs', observeMs, SHORTEST_MS, LONGEST_MS);
    checkMs('targetDrainMs', targetDrainMs, 1, Number.MAX_SAFE_INTEGER);
    const groups = this.#groupsFor(options);
    const admin = this.sources.admin();
    try {
      const observed = await Promise.all(
        groups.map(({ group, topics }) => this.#observe(admin, group, topics, observeMs)),
      );
      return observed.flat().map((figures) => adviseOn(figures, targetDrainMs));
    } finally {
      await admin.close();
    }
  }

  /** What going from one partition count to another does to the order of keys. */
  effectOfAdding(from: number, to: number): PartitionEffect {
    for (const count of [from, to]) {
      if (Number.isSafeInteger(count) && count > 0) continue;
      throw new InvalidTargetError(`there cannot be ${String(count)} partitions`);
    }
    if (to < from) throw new InvalidTargetError('Kafka takes no partitions of a topic away');
    return effectOfAdding(from, to);
  }

  async #observe(
    admin: AdminDriver,
    group: ScaledGroup,
    topics: readonly string[],
    observeMs: number,
  ): Promise<TopicFigures[]> {
    const { clock, busyMs } = this.sources;
    const first = await admin.groupLag(group.groupId, topics);
    const [startedAt, busyAtStart] = [clock.now(), busyMs()];
    const slots = new SlotLooks(group.handlers);
    for (let look = 0; look < LOOKS; look++) {
      await sleep(clock, observeMs / LOOKS);
      slots.look();
    }
    const last = await admin.groupLag(group.groupId, topics);
    const observedMs = Math.max(1, clock.now() - startedAt);
    const processorBusy = Math.min(1, (busyMs() - busyAtStart) / observedMs);
    return pairsOf(first, last).map(({ topic, partitions }) => ({
      groupId: group.groupId,
      topic,
      observedMs,
      members: last.members,
      ordering: group.orderingOf(topic),
      partitions,
      handlers: slots.figuresOf(group.handlersOf(topic)),
      processorBusy,
    }));
  }

  #groupsFor({ groupId, topic }: AdviceOptions) {
    const all = this.sources.groups();
    const groups = all.filter((group) => groupId === undefined || group.groupId === groupId);
    const found = groups.flatMap((group) => {
      const topics = group.topics.filter((each) => topic === undefined || each === topic);
      return topics.length === 0 ? [] : [{ group, topics }];
    });
    if (found.length > 0 || (groupId === undefined && topic === undefined)) return found;
    const known = all.map((group) => `"${group.groupId}" with ${group.topics.join(', ')}`);
    throw new InvalidTargetError(
      'no such group or topic is consumed in this process; ' +
        (known.length === 0 ? 'the consumers have not started' : `there are ${known.join('; ')}`),
    );
  }
}

/** How often the slots of handlers were all in use. */
class SlotLooks {
  readonly #full = new Map<HandlerRuntime, number>();
  #looks = 0;

  constructor(private readonly handlers: readonly HandlerRuntime[]) {}

  look(): void {
    this.#looks++;
    for (const handler of this.handlers) {
      if (handler.slots.inUse < handler.concurrency) continue;
      this.#full.set(handler, (this.#full.get(handler) ?? 0) + 1);
    }
  }

  figuresOf(handlers: readonly HandlerRuntime[]): HandlerFigures[] {
    return handlers.map((handler) => ({
      handlerId: handler.id,
      concurrency: handler.concurrency,
      adaptive: handler.adaptive !== null,
      full: (this.#full.get(handler) ?? 0) / this.#looks,
      perSecond: handler.handler.settings.rate?.perSecond ?? null,
    }));
  }
}

/** Partitions that were there both times. */
function pairsOf(first: GroupLag, last: GroupLag): Pick<TopicFigures, 'topic' | 'partitions'>[] {
  return last.topics.flatMap(({ topic, partitions }) => {
    const before = first.topics.find((each) => each.topic === topic);
    if (before === undefined) return [];
    const pairs = partitions.flatMap((each) => {
      const earlier = before.partitions.find(({ partition }) => partition === each.partition);
      return earlier === undefined ? [] : [{ first: earlier, last: each }];
    });
    return [{ topic, partitions: pairs }];
  });
}

function checkMs(name: string, value: number, min: number, max: number): void {
  if (Number.isFinite(value) && value >= min && value <= max) return;
  throw new InvalidTargetError(
    `${name} must be from ${String(min)} to ${String(max)} ms, not ${String(value)}`,
  );
}
