import { effectOfAdding, percent, type PartitionEffect } from './partition-effect.js';
import {
  arrivedIn,
  consumedIn,
  lagOf,
  type HandlerFigures,
  type TopicFigures,
} from './topic-figures.js';

/**
 * What keeps a group from being quicker: nothing; nobody is there; nothing moves; one partition gets
 * most records, or one is handled more slowly; handlers; records that wait for others of their
 * key; processes, of which there could be more; or the number of partitions.
 */
export type Bottleneck =
  | 'none'
  | 'no-members'
  | 'stalled'
  | 'hot-partition'
  | 'slow-partition'
  | 'handlers'
  | 'keys'
  | 'instances'
  | 'partitions';

/** Advice on the partition count of one topic, for one group. It is advice: nothing was changed. */
export interface PartitionAdvice {
  readonly groupId: string;
  /** Physical name. */
  readonly topic: string;
  readonly partitions: number;
  readonly advisedPartitions: number;
  readonly members: number;
  /** Records that are not committed yet. */
  readonly lag: number;
  readonly arrivedPerSecond: number;
  readonly consumedPerSecond: number;
  /** Until the lag is gone, at these rates; null where it does not shrink. */
  readonly drainMs: number | null;
  readonly bottleneck: Bottleneck;
  /** In sentences, the decisive one first. */
  readonly reasons: readonly string[];
  /** What going to the advised count does to the order of keys; null where it is the count of now. */
  readonly effect: PartitionEffect | null;
}

/** Less than so much of consumption is what is under way, not a lag. */
const UNDER_WAY_MS = 2_000;
/** Nobody multiplies a topic by more than this on the figures of a moment. */
const LARGEST_STEP = 4;
const FULL = 0.8;
const BUSY = 0.9;
/** A partition is apart from the others with so many times its even share. */
const SKEW = 3;
/** Or with so much of the whole: of two, each has half already. */
const SKEW_OF_FEW = 0.8;

interface Judgement {
  readonly bottleneck: Bottleneck;
  readonly reasons: readonly string[];
  /** The factor by which partitions are to be more. */
  readonly more?: number;
}

/** Figures as the judgement needs them. */
class Seen {
  readonly lag: number;
  readonly arrived: number;
  readonly consumed: number;
  /** Times the consumption of now that would empty it in the time wanted. */
  readonly short: number;
  readonly drainMs: number | null;

  constructor(
    readonly figures: TopicFigures,
    targetDrainMs: number,
  ) {
    const perSecond = (records: number): number => (records * 1000) / figures.observedMs;
    this.lag = sum(figures.partitions.map(({ last }) => lagOf(last)));
    this.arrived = perSecond(sum(figures.partitions.map(arrivedIn)));
    this.consumed = perSecond(sum(figures.partitions.map(consumedIn)));
    const drained = this.consumed - this.arrived;
    this.drainMs = this.lag === 0 ? 0 : drained > 0 ? (this.lag * 1000) / drained : null;
    this.short = (this.arrived + (this.lag * 1000) / targetDrainMs) / this.consumed;
  }

  get count(): number {
    return this.figures.partitions.length;
  }
}

/** Judges figures: a lag that is not gone in `targetDrainMs` is too much. */
export function adviseOn(figures: TopicFigures, targetDrainMs: number): PartitionAdvice {
  const seen = new Seen(figures, targetDrainMs);
  const { groupId, topic, members } = figures;
  const { bottleneck, reasons, more = 1 } = judge(seen, targetDrainMs);
  const advisedPartitions = seen.count * more;
  return {
    groupId,
    topic,
    partitions: seen.count,
    advisedPartitions,
    members,
    lag: seen.lag,
    arrivedPerSecond: seen.arrived,
    consumedPerSecond: seen.consumed,
    drainMs: seen.drainMs,
    bottleneck,
    reasons,
    effect: more === 1 ? null : effectOfAdding(seen.count, advisedPartitions),
  };
}

function judge(seen: Seen, targetDrainMs: number): Judgement {
  return (
    nobodyThere(seen) ??
    quickEnough(seen, targetDrainMs) ??
    nothingMoves(seen) ??
    uneven(seen) ??
    rateLimited(seen) ??
    handlersFull(seen) ??
    processorBusy(seen) ??
    waitingForEachOther(seen)
  );
}

function nobodyThere({ figures }: Seen): Judgement | null {
  if (figures.members > 0) return null;
  return { bottleneck: 'no-members', reasons: ['The group has no members: nothing is consumed.'] };
}

function quickEnough({ lag, consumed, drainMs, figures, count }: Seen, targetDrainMs: number) {
  const underWay = lag * 1000 <= consumed * UNDER_WAY_MS;
  if (!underWay && (drainMs === null || drainMs > targetDrainMs)) return null;
  const idle = figures.members - count;
  const reasons = [
    underWay
      ? 'The group keeps up.'
      : `The lag shrinks, and is gone in ${String(Math.ceil((drainMs ?? 0) / 1000))} s.`,
    ...(idle > 0 ? [`${String(idle)} of the members have no partition, and nothing to do.`] : []),
  ];
  return { bottleneck: 'none', reasons } as const;
}

function nothingMoves({ consumed }: Seen): Judgement | null {
  if (consumed > 0) return null;
  return {
    bottleneck: 'stalled',
    reasons: [
      'Nothing was committed in the time observed: health tells what stands still (stalled, outages, paused).',
    ],
  };
}

/** One partition has most of the lag: new ones would stand empty beside it. */
function uneven({ figures, lag, count }: Seen): Judgement | null {
  if (count < 2) return null;
  const apart = Math.min(SKEW_OF_FEW, SKEW / count);
  const [worst] = figures.partitions.toSorted((a, b) => lagOf(b.last) - lagOf(a.last));
  if (worst === undefined || lagOf(worst.last) < lag * apart) return null;
  const name = `Partition ${String(worst.last.partition)}`;
  const share = percent(lagOf(worst.last) / lag);
  const arrived = sum(figures.partitions.map(arrivedIn));
  // Nothing arrives any more: what was too much came before, and to that partition.
  if (arrived > 0 && arrivedIn(worst) < arrived * apart) {
    return {
      bottleneck: 'slow-partition',
      reasons: [
        `${name} has ${share} of the lag, but no more of the arriving records than others: its records, or the member that owns it, are slower.`,
        'More partitions would not make it quicker.',
      ],
    };
  }
  return {
    bottleneck: 'hot-partition',
    reasons: [
      `${name} has ${share} of the lag and gets most of the records: one key, or a few, are most of the topic.`,
      'However many partitions there are, a key is in one of them, and its records are handled one after another.',
      'Find that key; give its records finer keys, or a topic of their own, where their order allows.',
    ],
  };
}

/** The handler's own `rate` holds it. */
function rateLimited({ figures, consumed }: Seen): Judgement | null {
  const ofMember = consumed / figures.members;
  const limited = figures.handlers.find(
    ({ perSecond }) => ofMember >= (perSecond ?? Infinity) * FULL,
  );
  if (limited === undefined) return null;
  const rate = String(limited.perSecond);
  return {
    bottleneck: 'handlers',
    reasons: [`${limited.handlerId} is at its rate of ${rate} a second in each process.`],
  };
}

function handlersFull(seen: Seen): Judgement | null {
  const busiest = seen.figures.handlers.find(({ full }) => full >= FULL);
  if (busiest === undefined) return null;
  const reason = describeFull(busiest);
  if (seen.figures.members <= seen.count) {
    return { bottleneck: 'handlers', reasons: [reason, remedyFor(busiest, seen)] };
  }
  return partitionsShort(seen, [
    `${String(seen.figures.members - seen.count)} of ${String(seen.figures.members)} members have no partition, while ${reason}`,
    remedyFor(busiest, seen),
  ]);
}

function describeFull({ handlerId, concurrency, adaptive }: HandlerFigures): string {
  const number = String(concurrency);
  return adaptive
    ? `${handlerId} runs as many as what it calls bears, ${number} in this process.`
    : `${handlerId} runs ${number} at once, as many as its concurrency allows, nearly all the time.`;
}

function remedyFor({ adaptive, handlerId }: HandlerFigures, { short }: Seen): string {
  return adaptive
    ? `Make what ${handlerId} calls quicker, or bear more; partitions do not.`
    : `A concurrency of about ${short.toFixed(1)} times that comes before partitions, if what ${handlerId} calls bears it; it works across the keys of a partition.`;
}

function processorBusy(seen: Seen): Judgement | null {
  const { processorBusy: busy, members } = seen.figures;
  if (busy < BUSY) return null;
  const reason = `The processor of this process is busy ${percent(busy)} of the time.`;
  if (members >= seen.count) {
    return partitionsShort(seen, [reason, 'Each partition has a member of its own already.']);
  }
  const instances = Math.min(seen.count, Math.ceil(members * seen.short));
  return {
    bottleneck: 'instances',
    reasons: [
      reason,
      `Run ${String(instances)} instances; there are partitions for ${String(seen.count)}.`,
    ],
  };
}

function waitingForEachOther(seen: Seen): Judgement {
  const reason = 'Neither the handlers’ slots nor the processor are busy.';
  if (seen.figures.ordering === 'partition') {
    return partitionsShort(seen, [
      `${reason} With ordering 'partition' each partition is handled one record after another.`,
      "ordering: 'key' would come before more partitions, if the order of each key is enough.",
    ]);
  }
  return {
    bottleneck: 'keys',
    reasons: [
      `${reason} Records wait for others of their key, which no partition changes: look for hot keys.`,
      'If there are none: for what they wait for outside the handlers, the idempotency store or the network.',
    ],
  };
}

/** A multiple of the count moves fewer keys than any other number near it. */
function partitionsShort(seen: Seen, reasons: readonly string[]): Judgement {
  const wanted = Math.max(seen.short, seen.figures.members / seen.count);
  const more = Math.min(LARGEST_STEP, Math.ceil(wanted));
  const again = wanted > LARGEST_STEP ? ['It would take more yet: look again afterwards.'] : [];
  return { bottleneck: 'partitions', reasons: [...reasons, ...again], more };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}
