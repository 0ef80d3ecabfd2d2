import type { TopicPartition } from '../../records.js';

/** What a broker answers to a question for metadata, as far as it is looked into here. */
export interface MetadataAnswer {
  readonly topicMetadata: readonly TopicMetadata[];
}

interface TopicMetadata {
  readonly topic: string;
  readonly topicErrorCode: number;
  readonly partitionMetadata: readonly PartitionMetadata[];
}

interface PartitionMetadata {
  readonly partitionId: number;
  readonly partitionErrorCode: number;
}

/** kafkajs's own reading of an answer: rejects with the first error that it finds in it. */
type Check = (answer: MetadataAnswer) => Promise<unknown>;

/** Told what an answer lacked. */
export interface MetadataGapsOwner {
  /** All topics that cannot be used now, and why; called when others are than before. */
  unavailable(topics: ReadonlyMap<string, unknown>): void;
  /** A partition that has no leader to be read from; told at each answer. */
  leaderless(partition: TopicPartition, error: unknown): void;
}

/** How soon the metadata is asked for again when something is missing in it. */
const ASK_AGAIN_MS = 1000;

/**
 * Takes of the cluster's metadata what there is.
 *
 * kafkajs throws the first error that it finds in an answer: one topic that was deleted or may not be
 * seen, or one partition without a leader, would end the consumer of all others. Here such a topic
 * has no partitions, and such a partition no leader; nobody asks for either, and the answer is asked
 * for again each second. When nothing at all can be used, kafkajs is left its error.
 */
export class PartialMetadata {
  /** Null before the first answer: what was never there is not gone. */
  private missing: ReadonlyMap<string, unknown> | null = null;
  private hasGaps = false;
  private readAt = 0;
  private vanished = false;

  /** @param maxAgeMs how old an answer without gaps may be; kafkajs goes by the time of day, which may be set. */
  constructor(
    private readonly owner: MetadataGapsOwner,
    private readonly maxAgeMs: number,
  ) {}

  /** Whether it is time to ask again, sooner for what was missing. */
  get isDue(): boolean {
    const ageMs = performance.now() - this.readAt;
    return ageMs >= (this.hasGaps ? ASK_AGAIN_MS : this.maxAgeMs);
  }

  /** True once after a topic that was there has gone: its partitions are to be given up. */
  takeVanished(): boolean {
    const { vanished } = this;
    this.vanished = false;
    return vanished;
  }

  async read(answer: MetadataAnswer, check: Check): Promise<void> {
    this.readAt = performance.now();
    try {
      await check(answer);
      this.hasGaps = false;
      this.found(new Map());
    } catch (error) {
      this.hasGaps = true;
      const { topicMetadata } = answer;
      this.found(await failedTopics(topicMetadata, check));
      if (topicMetadata.every(({ topicErrorCode }) => topicErrorCode !== 0)) throw error;
      await this.tellLeaderless(topicMetadata, check);
    }
  }

  private found(missing: ReadonlyMap<string, unknown>): void {
    const before = this.missing;
    this.missing = missing;
    const isNews = [...missing.keys()].some((topic) => before?.has(topic) !== true);
    if (isNews && before !== null) this.vanished = true;
    if (isNews || before?.size !== missing.size) this.owner.unavailable(missing);
  }

  private async tellLeaderless(topics: readonly TopicMetadata[], check: Check): Promise<void> {
    for (const topic of topics) {
      for (const partition of topic.partitionMetadata) {
        if (partition.partitionErrorCode === 0) continue;
        const error = await errorOf({ ...topic, partitionMetadata: [partition] }, check);
        this.owner.leaderless({ topic: topic.topic, partition: partition.partitionId }, error);
      }
    }
  }
}

async function failedTopics(
  topics: readonly TopicMetadata[],
  check: Check,
): Promise<ReadonlyMap<string, unknown>> {
  const failed = topics.filter(({ topicErrorCode }) => topicErrorCode !== 0);
  return new Map(
    await Promise.all(
      failed.map(async (topic) => [topic.topic, await errorOf(topic, check)] as const),
    ),
  );
}

/** What kafkajs would throw for that topic alone: it knows Kafka's errors by their numbers. */
async function errorOf(topic: TopicMetadata, check: Check): Promise<unknown> {
  try {
    return await check({ topicMetadata: [topic] });
  } catch (error) {
    return error;
  }
}
