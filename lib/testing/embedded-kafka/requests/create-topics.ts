import { brokerRequest } from '../broker-request.js';
import type { Cluster } from '../state/cluster.js';
import { checkTopicConfigs } from '../state/topic-configs.js';
import type { Topic } from '../state/topic.js';
import { KafkaProtocolError } from '../wire/kafka-error.js';
import type { WireReader } from '../wire/wire-reader.js';
import { refusedTopic, topicResult, writeTopicResults, type TopicResult } from './topic-result.js';

export interface NewTopic {
  readonly topic: string;
  /** -1 for the broker's default. */
  readonly partitions: number;
  /** -1 for the broker's default. */
  readonly replicationFactor: number;
  /** Replicas of each partition, the leader first; empty where the broker chooses. */
  readonly assignments: readonly {
    readonly partition: number;
    readonly replicas: readonly number[];
  }[];
  readonly configs: readonly { readonly name: string; readonly value: string | null }[];
}

export interface CreateTopicsRequest {
  readonly topics: readonly NewTopic[];
  readonly timeoutMs: number;
  /** Tells what would happen, and does nothing. */
  readonly validateOnly: boolean;
}

export interface CreateTopicsResponse {
  readonly topics: readonly TopicResult[];
}

/** Makes topics; each succeeds or fails on its own. */
export const createTopics = brokerRequest<CreateTopicsRequest, CreateTopicsResponse>({
  key: 19,
  minVersion: 3,
  // Java clients leave out the numbers only where version 4 is known, which is written as 3 is.
  maxVersion: 4,

  read: (reader) => ({
    topics: reader.array(() => readTopic(reader)),
    timeoutMs: reader.int32(),
    validateOnly: reader.boolean(),
  }),

  write(writer, response) {
    writeTopicResults(writer, response.topics);
  },

  handle(request, { cluster }) {
    const names = request.topics.map(({ topic }) => topic);
    return {
      topics: request.topics.map((wanted) =>
        topicResult(wanted.topic, () => {
          const askedOnce = names.indexOf(wanted.topic) === names.lastIndexOf(wanted.topic);
          if (!askedOnce) throw new KafkaProtocolError('INVALID_REQUEST', 'named more than once');
          create(cluster, wanted, request.validateOnly);
        }),
      ),
    };
  },

  refuse: (request, errorCode) => ({
    topics: request.topics.map(({ topic }) => refusedTopic(topic, errorCode)),
  }),
});

function readTopic(reader: WireReader): NewTopic {
  return {
    topic: reader.string(),
    partitions: reader.int32(),
    replicationFactor: reader.int16(),
    assignments: reader.array(() => ({
      partition: reader.int32(),
      replicas: reader.array(() => reader.int32()),
    })),
    configs: reader.array(() => ({ name: reader.string(), value: reader.nullableString() })),
  };
}

function create(cluster: Cluster, wanted: NewTopic, validateOnly: boolean): void {
  const partitions = partitionsOf(cluster, wanted);
  const configs = new Map(wanted.configs.map(({ name, value }) => [name, value ?? '']));
  checkTopicConfigs(configs);
  cluster.checkNewTopic(wanted.topic, partitions);
  if (validateOnly) return;
  assignLeaders(cluster.createTopic(wanted.topic, partitions, configs), wanted);
}

/** How many are wanted, whichever way it is said. */
function partitionsOf({ nodes, options }: Cluster, wanted: NewTopic): number {
  const { assignments, partitions, replicationFactor } = wanted;
  if (assignments.length === 0) {
    if (replicationFactor === 0 || replicationFactor > nodes.length) {
      throw new KafkaProtocolError('INVALID_REPLICATION_FACTOR', String(replicationFactor));
    }
    return partitions === -1 ? options.defaultPartitions : partitions;
  }
  if (partitions !== -1 || replicationFactor !== -1) {
    throw new KafkaProtocolError('INVALID_REQUEST', 'both assignments and numbers are given');
  }
  const consecutive = assignments.map(({ partition }) => partition).sort((a, b) => a - b);
  const known = ({ replicas }: { replicas: readonly number[] }) =>
    replicas.length > 0 && replicas.every((nodeId) => nodes[nodeId] !== undefined);
  if (consecutive.some((partition, i) => partition !== i) || !assignments.every(known)) {
    throw new KafkaProtocolError('INVALID_REPLICA_ASSIGNMENT');
  }
  return assignments.length;
}

function assignLeaders(topic: Topic, { assignments }: NewTopic): void {
  for (const { partition, replicas } of assignments) {
    const [leaderId] = replicas;
    if (leaderId !== undefined) topic.partition(partition).leaderId = leaderId;
  }
}
