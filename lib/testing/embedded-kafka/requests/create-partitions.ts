import { brokerRequest } from '../broker-request.js';
import type { Cluster } from '../state/cluster.js';
import { KafkaProtocolError } from '../wire/kafka-error.js';
import { refusedTopic, topicResult, writeTopicResults, type TopicResult } from './topic-result.js';

export interface MorePartitions {
  readonly topic: string;
  /** Of partitions, with those there are. */
  readonly total: number;
  /** Replicas of each new partition, the leader first; null where the broker chooses. */
  readonly assignments: readonly (readonly number[])[] | null;
}

export interface CreatePartitionsRequest {
  readonly topics: readonly MorePartitions[];
  readonly timeoutMs: number;
  /** Tells what would happen, and does nothing. */
  readonly validateOnly: boolean;
}

export interface CreatePartitionsResponse {
  readonly topics: readonly TopicResult[];
}

/** Gives topics more partitions; each succeeds or fails on its own. */
export const createPartitions = brokerRequest<CreatePartitionsRequest, CreatePartitionsResponse>({
  key: 37,
  minVersion: 1,
  maxVersion: 1,

  read: (reader) => ({
    topics: reader.array(() => ({
      topic: reader.string(),
      total: reader.int32(),
      assignments: reader.nullableArray(() => reader.array(() => reader.int32())),
    })),
    timeoutMs: reader.int32(),
    validateOnly: reader.boolean(),
  }),

  write(writer, response) {
    writeTopicResults(writer, response.topics);
  },

  handle: (request, { cluster }) => ({
    topics: request.topics.map((wanted) =>
      topicResult(wanted.topic, () => {
        grow(cluster, wanted, request.validateOnly);
      }),
    ),
  }),

  refuse: (request, errorCode) => ({
    topics: request.topics.map(({ topic }) => refusedTopic(topic, errorCode)),
  }),
});

function grow(cluster: Cluster, wanted: MorePartitions, validateOnly: boolean): void {
  const topic = cluster.topic(wanted.topic);
  const before = topic.partitions.length;
  const { assignments } = wanted;
  if (assignments !== null && assignments.length !== wanted.total - before) {
    throw new KafkaProtocolError('INVALID_REPLICA_ASSIGNMENT');
  }
  topic.checkTotal(wanted.total);
  if (validateOnly) return;
  cluster.addPartitions(wanted.topic, wanted.total);
  for (const [i, [leaderId]] of (assignments ?? []).entries()) {
    if (leaderId !== undefined) topic.partition(before + i).leaderId = leaderId;
  }
}
