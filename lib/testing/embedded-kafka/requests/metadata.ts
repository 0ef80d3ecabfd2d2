import { brokerRequest, type RequestCall } from '../broker-request.js';
import type { Cluster } from '../state/cluster.js';
import type { Partition, Topic } from '../state/topic.js';
import { errorCodeOf, KafkaErrorCode } from '../wire/kafka-error.js';

export interface MetadataRequest {
  /** Null asks for all. */
  readonly topics: readonly string[] | null;
  readonly allowAutoTopicCreation: boolean;
}

export interface MetadataPartition {
  readonly errorCode: number;
  readonly partition: number;
  readonly leaderId: number;
  readonly replicas: readonly number[];
  readonly inSyncReplicas: readonly number[];
  readonly offlineReplicas: readonly number[];
}

export interface MetadataTopic {
  readonly errorCode: number;
  readonly topic: string;
  readonly isInternal: boolean;
  readonly partitions: readonly MetadataPartition[];
}

export interface MetadataBroker {
  readonly nodeId: number;
  readonly host: string;
  readonly port: number;
}

export interface MetadataResponse {
  readonly brokers: readonly MetadataBroker[];
  readonly clusterId: string;
  readonly controllerId: number;
  readonly topics: readonly MetadataTopic[];
}

/** Which brokers there are, and who leads the partitions of which topics. */
export const metadata = brokerRequest<MetadataRequest, MetadataResponse>({
  key: 3,
  minVersion: 4,
  maxVersion: 6,

  read: (reader) => ({
    topics: reader.nullableArray(() => reader.string()),
    allowAutoTopicCreation: reader.boolean(),
  }),

  write(writer, response, version) {
    const throttleTimeMs = 0;
    writer
      .int32(throttleTimeMs)
      .array(response.brokers, (broker) => {
        const rack = null;
        writer.int32(broker.nodeId).string(broker.host).int32(broker.port).string(rack);
      })
      .string(response.clusterId)
      .int32(response.controllerId)
      .array(response.topics, (topic) => {
        writer
          .int16(topic.errorCode)
          .string(topic.topic)
          .boolean(topic.isInternal)
          .array(topic.partitions, (partition) => {
            writer
              .int16(partition.errorCode)
              .int32(partition.partition)
              .int32(partition.leaderId)
              .array(partition.replicas, (nodeId) => writer.int32(nodeId))
              .array(partition.inSyncReplicas, (nodeId) => writer.int32(nodeId));
            if (version >= 5) {
              writer.array(partition.offlineReplicas, (nodeId) => writer.int32(nodeId));
            }
          });
      });
  },

  handle(request, call) {
    const { cluster } = call;
    const names = request.topics ?? [...cluster.topics.keys()];
    return {
      brokers: advertisedBrokers(call),
      clusterId: cluster.id,
      controllerId: cluster.controllerId,
      topics: names.map((name) => describe(cluster, name, request.allowAutoTopicCreation)),
    };
  },

  refuse: (request, errorCode) => ({
    brokers: [],
    clusterId: '',
    controllerId: -1,
    topics: (request.topics ?? []).map((topic) => failedTopic(topic, errorCode)),
  }),
});

/** Each with its address on the listener that the client came through. */
function advertisedBrokers({ cluster, listener }: RequestCall): MetadataBroker[] {
  return cluster.online.flatMap(({ nodeId, endpoints }) => {
    const endpoint = endpoints.get(listener);
    return endpoint === undefined ? [] : [{ nodeId, host: endpoint.host, port: endpoint.port }];
  });
}

function describe(cluster: Cluster, name: string, mayCreate: boolean): MetadataTopic {
  try {
    const isMissing = !cluster.topics.has(name);
    const creates = isMissing && mayCreate && cluster.options.autoCreateTopics;
    return describeTopic(cluster, creates ? cluster.createTopic(name) : cluster.topic(name));
  } catch (error) {
    return failedTopic(name, errorCodeOf(error));
  }
}

function describeTopic(cluster: Cluster, topic: Topic): MetadataTopic {
  return {
    errorCode: KafkaErrorCode.NONE,
    topic: topic.name,
    isInternal: false,
    partitions: topic.partitions.map((partition) => describePartition(cluster, partition)),
  };
}

/** Every broker can take over every partition, so each is a replica of all. */
function describePartition(cluster: Cluster, { index, leaderId }: Partition): MetadataPartition {
  const idsOf = (online: boolean) =>
    cluster.nodes.filter((node) => node.online === online).map(({ nodeId }) => nodeId);
  return {
    errorCode: leaderId < 0 ? KafkaErrorCode.LEADER_NOT_AVAILABLE : KafkaErrorCode.NONE,
    partition: index,
    leaderId,
    replicas: cluster.nodes.map(({ nodeId }) => nodeId),
    inSyncReplicas: idsOf(true),
    offlineReplicas: idsOf(false),
  };
}

function failedTopic(topic: string, errorCode: number): MetadataTopic {
  return { errorCode, topic, isInternal: false, partitions: [] };
}
