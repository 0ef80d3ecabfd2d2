import type { PartitionOffsets } from '../kafka/driver.js';
import type { Ordering } from '../consuming/handler-options.js';

/** A partition's offsets at the begin and at the end of an observation. */
export interface PartitionLooks {
  readonly first: PartitionOffsets;
  readonly last: PartitionOffsets;
}

/** A handler of this process, over an observation. */
export interface HandlerFigures {
  readonly handlerId: string;
  readonly concurrency: number;
  /** Whether its concurrency follows how long its calls take. */
  readonly adaptive: boolean;
  /** Share of the looks in which all its slots were in use. */
  readonly full: number;
  /** Starts per second that its `rate` allows; null for no limit. */
  readonly perSecond: number | null;
}

/** What one group was seen to do with one topic. */
export interface TopicFigures {
  readonly groupId: string;
  /** Physical name. */
  readonly topic: string;
  readonly observedMs: number;
  /** Members of the group, in all processes. */
  readonly members: number;
  readonly ordering: Ordering;
  readonly partitions: readonly PartitionLooks[];
  /** Of this process; others are taken to be like it. */
  readonly handlers: readonly HandlerFigures[];
  /** Share of the time in which this process's event loop was busy. */
  readonly processorBusy: number;
}

/** Records that are not committed yet; an upper bound where compaction left gaps. */
export function lagOf({ start, end, committed }: PartitionOffsets): number {
  const from = committed === null || committed < start ? start : committed;
  return Math.max(0, Number(end - from));
}

/** Records written meanwhile. */
export function arrivedIn({ first, last }: PartitionLooks): number {
  return Math.max(0, Number(last.end - first.end));
}

/** Records dealt with and committed meanwhile. */
export function consumedIn(looks: PartitionLooks): number {
  return Math.max(0, lagOf(looks.first) + arrivedIn(looks) - lagOf(looks.last));
}
