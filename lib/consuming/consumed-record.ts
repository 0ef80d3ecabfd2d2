import type { InRecord } from '../kafka/records.js';
import type { LaneEntry } from './lanes.js';
import type { OwnedPartition, RecordPlace } from './owned-partition.js';

/** A record on its way through the engine, from delivery to settlement. */
export class ConsumedRecord implements LaneEntry {
  nextInLane: this | null = null;

  constructor(
    readonly record: InRecord,
    readonly partition: OwnedPartition<ConsumedRecord>,
    readonly place: RecordPlace,
  ) {}

  get laneKey(): string | null {
    return this.place.laneKey;
  }

  get bytes(): number {
    return this.record.bytes;
  }
}
