import { brokerRequest, type BrokerRequest } from '../broker-request.js';
import { KafkaErrorCode } from '../wire/kafka-error.js';

const KEY = 18;
const MIN_VERSION = 0;
const MAX_VERSION = 2;

export interface ApiVersionRange {
  readonly key: number;
  readonly minVersion: number;
  readonly maxVersion: number;
}

export type ApiVersionsRequest = Readonly<Record<string, never>>;

export interface ApiVersionsResponse {
  readonly errorCode: number;
  readonly apis: readonly ApiVersionRange[];
}

/** Which requests the broker answers, in which versions: the `others`, and this one. */
export function apiVersions(
  others: readonly (ApiVersionRange & { readonly advertisedMinVersion?: number })[],
): BrokerRequest<ApiVersionsRequest, ApiVersionsResponse> {
  const own = { key: KEY, minVersion: MIN_VERSION, maxVersion: MAX_VERSION };
  const advertised = others.map(({ key, minVersion, maxVersion, advertisedMinVersion }) => ({
    key,
    minVersion: advertisedMinVersion ?? minVersion,
    maxVersion,
  }));
  const apis = [...advertised, own].sort((a, b) => a.key - b.key);

  return brokerRequest<ApiVersionsRequest, ApiVersionsResponse>({
    ...own,
    read: () => ({}),
    write(writer, response, version) {
      writer.int16(response.errorCode).array(response.apis, (api) => {
        writer.int16(api.key).int16(api.minVersion).int16(api.maxVersion);
      });
      const throttleTimeMs = 0;
      if (version >= 1) writer.int32(throttleTimeMs);
    },
    handle: () => ({ errorCode: KafkaErrorCode.NONE, apis }),
    // The versions go along with the refusal, for the client to choose again.
    refuse: (_request, errorCode) => ({ errorCode, apis }),
  });
}
