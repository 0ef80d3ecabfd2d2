import { setTimeout as sleep } from 'node:timers/promises';
import type { Cluster } from 'kafkajs';
import type { TopicPartition } from '../../records.js';
import { isBrokerAway } from './kafkajs-errors.js';

/** Whose partitions are concerned when a broker is away. */
export interface AbsenceOwner {
  readonly topics: readonly string[];
  /** A partition whose leader cannot be reached; told about once a second. */
  leaderAway(partition: TopicPartition, nodeId: number, error: unknown): void;
}

/** How soon a broker is tried again that could not be reached. */
const TRY_AGAIN_MS = 1000;

/**
 * The brokers of a consumer's cluster that cannot be reached now.
 *
 * Until a cluster has noticed that a broker is gone it still names it as a leader. kafkajs knows a
 * way on for brokers that it has not heard of, but ends the consumer over one that it cannot connect
 * to. So those are called unknown: the others' partitions go on, and the cluster is asked anew.
 */
export class AbsentBrokers {
  private readonly until = new Map<number, number>();

  constructor(
    private readonly cluster: Cluster,
    private readonly owner: AbsenceOwner,
  ) {
    const findBroker = cluster.findBroker.bind(cluster);
    cluster.findBroker = async (node) => {
      try {
        return await findBroker(node);
      } catch (error) {
        if (!isLeaderAskedFor(node) || !isBrokerAway(error)) throw error;
        await this.away(Number(node.nodeId), error);
        throw new BrokerAwayError(node.nodeId, error);
      }
    };
  }

  has(nodeId: number): boolean {
    return performance.now() < (this.until.get(nodeId) ?? 0);
  }

  private async away(nodeId: number, error: unknown): Promise<void> {
    // A little longer, so that it is not forgotten while it is tried again.
    this.until.set(nodeId, performance.now() + 2 * TRY_AGAIN_MS);
    for (const topic of this.owner.topics) {
      for (const { partitionId, leader } of this.cluster.findTopicPartitionMetadata(topic)) {
        if (leader !== nodeId) continue;
        this.owner.leaderAway({ topic, partition: partitionId }, nodeId, error);
      }
    }
    await sleep(TRY_AGAIN_MS);
  }
}

// kafkajs names leaders by text, and the coordinator by its number: that one it goes on looking for.
function isLeaderAskedFor({ nodeId }: { readonly nodeId: string | number }): boolean {
  return typeof nodeId === 'string';
}

class BrokerAwayError extends Error {
  /** As kafkajs names a broker that it has not heard of. */
  override readonly name = 'KafkaJSBrokerNotFound';
  readonly retriable = true;

  constructor(nodeId: string | number, cause: unknown) {
    super(`broker ${String(nodeId)} cannot be reached: ${String(cause)}`, { cause });
  }
}
