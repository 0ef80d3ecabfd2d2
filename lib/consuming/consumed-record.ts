import type { TrackedOffset } from '../kafka/offset-tracker.js';
import { sizeOfRecord, type InRecord } from '../kafka/records.js';
import type { LaneEntry } from './lanes.js';
import type { OwnedPartition } from './owned-partition.js';

/** A record on its way through the engine, from delivery to settlement. */
export class ConsumedRecord implements TrackedOffset, LaneEntry {
  settled = false;
  nextInLane: this | null = null;
  readonly bytes: number;

  constructor(
    readonly record: InRecord,
    readonly partition: OwnedPartition,
    readonly nextOffset: bigint,
    readonly laneKey: string | null,
    /** Milliseconds since the Unix epoch. */
    readonly deliveredAt: number,
  ) {
    this.bytes = sizeOfRecord(record);
  }

  get offset(): bigint {
    return this.record.offset;
  }
}
