import type { Clock, TimerHandle } from '../contracts/clock.js';
import type { StalledPartition } from '../observability/health-report.js';
import type { RecordRef, SignalSink } from '../observability/observer.js';
import { nameOf, type RecordTroubles } from '../observability/record-troubles.js';
import type { StallReason } from '../observability/stall-reason.js';
import type { GroupConsumer } from './group-consumer.js';
import type { OwnedPartition } from './owned-partition.js';

/** How often it is looked; more often where a stall is to be reported sooner. */
const LOOK_MS = 5_000;
const LOOKS_PER_STALL = 4;

/** The record a partition's offset waits for, since when, and whether that was reported. */
interface Head {
  readonly record: RecordRef;
  since: number;
  reported: boolean;
}

/**
 * Looks now and then whether the offsets of all partitions move, and says so once when one does not
 * although there are records: which record it waits for, and what that one waits for. How long records
 * wait in line does not matter, as long as those before them end.
 */
export class StallWatch {
  #heads: ReadonlyMap<string, Head> = new Map();
  #timer: TimerHandle | null = null;

  constructor(
    private readonly groups: () => readonly GroupConsumer[],
    private readonly troubles: RecordTroubles,
    private readonly signals: SignalSink,
    private readonly clock: Clock,
  ) {}

  start(): void {
    this.stop();
    const soonest = Math.min(...this.groups().map(({ stallAfterMs }) => stallAfterMs));
    const ms = Math.max(1, Math.min(LOOK_MS, soonest / LOOKS_PER_STALL));
    this.#timer = this.clock.setTimeout(() => {
      this.look();
      this.start();
    }, ms);
  }

  stop(): void {
    if (this.#timer !== null) this.clock.clearTimeout(this.#timer);
    this.#timer = null;
  }

  /** Partitions that stand still. */
  get stalled(): readonly StalledPartition[] {
    return this.groups().flatMap((group) =>
      group.partitions.flatMap((owned) => {
        const head = this.#heads.get(nameOf(placeOf(group, owned)));
        if (head?.record.offset !== owned.tracker.oldest?.offset) return [];
        return head?.reported === true ? [this.#describe(group, owned, head)] : [];
      }),
    );
  }

  look(): void {
    const now = this.clock.now();
    const before = this.#heads;
    const heads = new Map<string, Head>();
    this.#heads = heads;
    for (const group of this.groups()) {
      for (const owned of group.partitions) {
        const { oldest } = owned.tracker;
        // What an operator holds is no stall: they know.
        if (oldest === null || owned.held) continue;
        const record = { ...placeOf(group, owned), offset: oldest.offset };
        const known = before.get(nameOf(record));
        const isSame = known?.record.offset === record.offset;
        const head = isSame ? known : { record, since: now, reported: false };
        heads.set(nameOf(record), head);
        // A record of a retry topic is not late before it is due.
        head.since = Math.max(head.since, oldest.deliveredAt);
        if (!head.reported && now - head.since >= group.stallAfterMs) {
          this.#report(group, owned, head);
        }
      }
    }
    this.#tellEnded(before, now);
    this.troubles.forgetEnded((partition) => heads.get(partition)?.record.offset ?? null);
  }

  #report(group: GroupConsumer, owned: OwnedPartition, head: Head): void {
    head.reported = true;
    const { lane, handlers, waitsFor, waitingMs } = this.#describe(group, owned, head);
    this.signals.emit('stalled', { ...head.record, lane, handlers, waitsFor, waitingMs });
  }

  #tellEnded(before: ReadonlyMap<string, Head>, now: number): void {
    for (const [name, head] of before) {
      if (!head.reported || this.#heads.get(name) === head) continue;
      this.signals.emit('stallEnded', { ...head.record, stalledMs: now - head.since });
    }
  }

  #describe(
    group: GroupConsumer,
    owned: OwnedPartition,
    { record, since }: Head,
  ): StalledPartition {
    const offset = record.offset.toString();
    const handlers = [...group.running]
      .filter((each) => each.partition === owned && each.concerns(record.offset))
      .map(({ context }) => context.handlerId);
    return {
      ...record,
      offset,
      lane: owned.tracker.oldest?.laneKey ?? null,
      handlers,
      waitsFor: handlers.length > 0 ? 'handler' : this.#waitsFor(group, record),
      waitingMs: this.clock.now() - since,
    };
  }

  #waitsFor(group: GroupConsumer, record: RecordRef): StallReason {
    const trouble = this.troubles.of(record);
    const handlers = group.handlersOf(record.topic);
    // In an outage records fail, or wait without having failed.
    const mayBeOutage = trouble === null || trouble === 'retry';
    if (mayBeOutage && handlers.some(({ breaker }) => breaker?.outage)) return 'outage';
    if (trouble !== null) return trouble;
    return handlers.some(({ held }) => held) ? 'paused' : 'turn';
  }
}

function placeOf({ groupId }: GroupConsumer, { topic, partition }: OwnedPartition) {
  return { groupId, topic, partition };
}
