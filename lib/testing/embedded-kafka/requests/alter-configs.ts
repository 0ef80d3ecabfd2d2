import { brokerRequest } from '../broker-request.js';
import type { Cluster } from '../state/cluster.js';
import { checkTopicConfigs } from '../state/topic-configs.js';
import { errorCodeOf, KafkaErrorCode, KafkaProtocolError } from '../wire/kafka-error.js';
import {
  ConfigResourceType,
  type ConfigResource,
  type ConfigResourceResult,
} from './config-resource.js';

export interface AlteredResource extends ConfigResource {
  readonly configs: readonly { readonly name: string; readonly value: string | null }[];
}

export interface AlterConfigsRequest {
  readonly resources: readonly AlteredResource[];
  /** Tells what would happen, and does nothing. */
  readonly validateOnly: boolean;
}

export interface AlterConfigsResponse {
  readonly resources: readonly ConfigResourceResult[];
}

/** Replaces all settings of topics: what is not named returns to its default. */
export const alterConfigs = brokerRequest<AlterConfigsRequest, AlterConfigsResponse>({
  key: 33,
  minVersion: 1,
  maxVersion: 1,

  read: (reader) => ({
    resources: reader.array(() => ({
      resourceType: reader.int8(),
      resourceName: reader.string(),
      configs: reader.array(() => ({ name: reader.string(), value: reader.nullableString() })),
    })),
    validateOnly: reader.boolean(),
  }),

  write(writer, response) {
    const throttleTimeMs = 0;
    writer.int32(throttleTimeMs).array(response.resources, (resource) => {
      writer
        .int16(resource.errorCode)
        .string(resource.errorMessage)
        .int8(resource.resourceType)
        .string(resource.resourceName);
    });
  },

  handle: (request, { cluster }) => ({
    resources: request.resources.map((resource) => {
      try {
        alter(cluster, resource, request.validateOnly);
        return result(resource, KafkaErrorCode.NONE, null);
      } catch (error) {
        return result(resource, errorCodeOf(error), error instanceof Error ? error.message : null);
      }
    }),
  }),

  refuse: (request, errorCode) => ({
    resources: request.resources.map((resource) => result(resource, errorCode, null)),
  }),
});

function result(
  { resourceType, resourceName }: ConfigResource,
  errorCode: number,
  errorMessage: string | null,
): ConfigResourceResult {
  return { resourceType, resourceName, errorCode, errorMessage };
}

function alter(cluster: Cluster, resource: AlteredResource, validateOnly: boolean): void {
  if (resource.resourceType !== ConfigResourceType.TOPIC) {
    throw new KafkaProtocolError('INVALID_REQUEST', 'only topics can be configured');
  }
  const topic = cluster.topic(resource.resourceName);
  const configs = resource.configs.map(({ name, value }) => [name, value ?? ''] as const);
  checkTopicConfigs(new Map(configs));
  if (validateOnly) return;
  topic.configs.clear();
  for (const [name, value] of configs) topic.configs.set(name, value);
}
