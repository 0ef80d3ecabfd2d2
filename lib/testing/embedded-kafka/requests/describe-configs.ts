import { brokerRequest } from '../broker-request.js';
import type { Cluster } from '../state/cluster.js';
import { TOPIC_CONFIGS } from '../state/topic-configs.js';
import { errorCodeOf, KafkaErrorCode, KafkaProtocolError } from '../wire/kafka-error.js';
import {
  ConfigResourceType,
  type ConfigResource,
  type ConfigResourceResult,
} from './config-resource.js';

/** Where a value comes from, by the protocol's numbers. */
const ConfigSource = { TOPIC: 1, STATIC_BROKER: 4, DEFAULT: 5 } as const;

export interface DescribedResource extends ConfigResource {
  /** Null asks for all. */
  readonly configNames: readonly string[] | null;
}

export interface DescribeConfigsRequest {
  readonly resources: readonly DescribedResource[];
  readonly includeSynonyms: boolean;
}

export interface ConfigEntry {
  readonly name: string;
  readonly value: string | null;
  readonly isReadOnly: boolean;
  readonly source: number;
  readonly isSensitive: boolean;
}

export interface DescribeConfigsResponse {
  readonly resources: readonly (ConfigResourceResult & {
    readonly configs: readonly ConfigEntry[];
  })[];
}

/** The settings of topics and brokers, with where each value comes from. */
export const describeConfigs = brokerRequest<DescribeConfigsRequest, DescribeConfigsResponse>({
  key: 32,
  minVersion: 2,
  maxVersion: 2,

  read: (reader) => ({
    resources: reader.array(() => ({
      resourceType: reader.int8(),
      resourceName: reader.string(),
      configNames: reader.nullableArray(() => reader.string()),
    })),
    includeSynonyms: reader.boolean(),
  }),

  write(writer, response) {
    const throttleTimeMs = 0;
    writer.int32(throttleTimeMs).array(response.resources, (resource) => {
      writer
        .int16(resource.errorCode)
        .string(resource.errorMessage)
        .int8(resource.resourceType)
        .string(resource.resourceName)
        .array(resource.configs, (config) => {
          writer
            .string(config.name)
            .string(config.value)
            .boolean(config.isReadOnly)
            .int8(config.source)
            .boolean(config.isSensitive);
          const synonyms: readonly never[] = [];
          writer.array(synonyms, () => undefined);
        });
    });
  },

  handle: (request, { cluster }) => ({
    resources: request.resources.map((resource) => {
      const { resourceType, resourceName, configNames } = resource;
      const result = { resourceType, resourceName, errorCode: KafkaErrorCode.NONE };
      try {
        const configs = entriesOf(cluster, resource).filter(
          ({ name }) => configNames?.includes(name) ?? true,
        );
        return { ...result, errorMessage: null, configs };
      } catch (error) {
        return { ...refused(resource, errorCodeOf(error)), configs: [] };
      }
    }),
  }),

  refuse: (request, errorCode) => ({
    resources: request.resources.map((resource) => ({
      ...refused(resource, errorCode),
      configs: [],
    })),
  }),
});

function refused(resource: ConfigResource, errorCode: number): ConfigResourceResult {
  const { resourceType, resourceName } = resource;
  return { resourceType, resourceName, errorCode, errorMessage: null };
}

function entriesOf(
  cluster: Cluster,
  { resourceType, resourceName }: ConfigResource,
): ConfigEntry[] {
  switch (resourceType) {
    case ConfigResourceType.TOPIC:
      return topicEntries(cluster.topic(resourceName).configs);
    case ConfigResourceType.BROKER:
      return brokerEntries(cluster);
    default:
      throw new KafkaProtocolError('INVALID_REQUEST', `resource type ${String(resourceType)}`);
  }
}

function topicEntries(configs: ReadonlyMap<string, string>): ConfigEntry[] {
  return [...TOPIC_CONFIGS].map(([name, { defaultValue }]) => {
    const own = configs.get(name);
    const source = own === undefined ? ConfigSource.DEFAULT : ConfigSource.TOPIC;
    return { name, value: own ?? defaultValue, isReadOnly: false, source, isSensitive: false };
  });
}

function brokerEntries({ options }: Cluster): ConfigEntry[] {
  const values = {
    'auto.create.topics.enable': String(options.autoCreateTopics),
    'group.initial.rebalance.delay.ms': String(options.groupInitialRebalanceDelayMs),
    'group.max.session.timeout.ms': String(options.groupMaxSessionTimeoutMs),
    'group.min.session.timeout.ms': String(options.groupMinSessionTimeoutMs),
    'num.partitions': String(options.defaultPartitions),
  };
  const source = ConfigSource.STATIC_BROKER;
  return Object.entries(values).map(([name, value]) => {
    return { name, value, isReadOnly: true, source, isSensitive: false };
  });
}
