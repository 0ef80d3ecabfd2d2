import type { OwnedTopicPartition } from '../../driver.js';
import { partitionName, type TopicPartition } from '../../records.js';

/** What an assignment changed. */
export interface OwnershipChange {
  readonly lost: readonly OwnedTopicPartition[];
  readonly gained: readonly OwnedTopicPartition[];
  readonly kept: readonly OwnedTopicPartition[];
}

/**
 * Which partitions a consumer owns, and the epoch of each ownership. Epochs only grow, also beyond
 * a loss, a crash and a new session: equal epochs mean that nobody else had the partition meanwhile.
 */
export class PartitionOwnership {
  private owned = new Map<string, OwnedTopicPartition>();
  private lastEpoch = 0;

  /**
   * Takes over an assignment.
   *
   * @param uninterrupted whether nobody else can have owned, between the last assignment and this
   *   one, what is in both.
   */
  assign(partitions: readonly TopicPartition[], uninterrupted: boolean): OwnershipChange {
    const before = this.owned;
    this.owned = new Map();
    const gained: OwnedTopicPartition[] = [];
    const kept: OwnedTopicPartition[] = [];
    for (const { topic, partition } of partitions) {
      const name = partitionName({ topic, partition });
      const known = uninterrupted ? before.get(name) : undefined;
      const mine = known ?? { topic, partition, epoch: ++this.lastEpoch };
      (known === undefined ? gained : kept).push(mine);
      this.owned.set(name, mine);
    }
    const lost = [...before.values()].filter((old) => !this.holds(old));
    return { lost, gained, kept };
  }

  /** Begins another ownership of a partition that stays assigned to us. */
  renew(partition: TopicPartition): OwnershipChange {
    const name = partitionName(partition);
    const old = this.owned.get(name);
    if (old === undefined) return { lost: [], gained: [], kept: [] };
    const mine = { ...old, epoch: ++this.lastEpoch };
    this.owned.set(name, mine);
    return { lost: [old], gained: [mine], kept: [] };
  }

  /** Gives up everything; answers what that was. */
  loseAll(): readonly OwnedTopicPartition[] {
    const lost = this.all();
    this.owned.clear();
    return lost;
  }

  /** Whether the partition is owned, and still in that epoch. */
  holds({ topic, partition, epoch }: OwnedTopicPartition): boolean {
    return this.epochOf({ topic, partition }) === epoch;
  }

  epochOf(partition: TopicPartition): number | undefined {
    return this.owned.get(partitionName(partition))?.epoch;
  }

  all(): readonly OwnedTopicPartition[] {
    return [...this.owned.values()];
  }
}
