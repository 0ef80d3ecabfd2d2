import { brokerRequest, type RequestCall } from '../broker-request.js';
import { KafkaErrorCode, KafkaProtocolError } from '../wire/kafka-error.js';

export interface FindCoordinatorRequest {
  /** A group id or a transactional id. */
  readonly key: string;
  /** 0 for a group, 1 for a transactional id. */
  readonly keyType: number;
}

export interface FindCoordinatorResponse {
  readonly errorCode: number;
  readonly errorMessage: string | null;
  readonly nodeId: number;
  readonly host: string;
  readonly port: number;
}

/** Says which broker keeps a group or a transactional id. */
export const findCoordinator = brokerRequest<FindCoordinatorRequest, FindCoordinatorResponse>({
  key: 10,
  minVersion: 0,
  maxVersion: 2,

  read: (reader, version) => ({
    key: reader.string(),
    keyType: version >= 1 ? reader.int8() : 0,
  }),

  write(writer, response, version) {
    const throttleTimeMs = 0;
    if (version >= 1) writer.int32(throttleTimeMs);
    writer.int16(response.errorCode);
    if (version >= 1) writer.string(response.errorMessage);
    writer.int32(response.nodeId).string(response.host).int32(response.port);
  },

  handle(request, call) {
    const nodeId = call.cluster.coordinatorOf(kindOf(request), request.key);
    return {
      errorCode: KafkaErrorCode.NONE,
      errorMessage: null,
      nodeId,
      ...endpointOf(nodeId, call),
    };
  },

  refuse: (_request, errorCode) => ({
    errorCode,
    errorMessage: null,
    nodeId: -1,
    host: '',
    port: -1,
  }),
});

function kindOf({ keyType }: FindCoordinatorRequest): 'group' | 'transaction' {
  if (keyType === 0) return 'group';
  if (keyType === 1) return 'transaction';
  throw new KafkaProtocolError('INVALID_REQUEST', `coordinator of kind ${String(keyType)}`);
}

/** Its address on the listener that the client came through. */
function endpointOf(
  nodeId: number,
  { cluster, listener }: RequestCall,
): { readonly host: string; readonly port: number } {
  const endpoint = cluster.nodes[nodeId]?.endpoints.get(listener);
  if (endpoint === undefined) throw new KafkaProtocolError('COORDINATOR_NOT_AVAILABLE');
  const { host, port } = endpoint;
  return { host, port };
}
