import type { InRecord } from '../kafka/records.js';
import type { OwnedPartition, PartitionRecord } from './owned-partition.js';

/** A record on its way through the engine, from delivery to settlement. */
export class ConsumedRecord implements PartitionRecord {
  settled = false;
  nextInLane: this | null = null;
  constructor(
    readonly record: InRecord,
    readonly partition: OwnedPartition<ConsumedRecord>,
    readonly nextOffset: bigint,
    readonly laneKey: string | null,
    /** Milliseconds since the Unix epoch. */
    readonly deliveredAt: number,
  ) {}

  get bytes(): number {
    return this.record.bytes;
  }

  get offset(): bigint {
    return this.record.offset;
  }
}
