import { brokerRequest } from '../broker-request.js';
import { KafkaErrorCode } from '../wire/kafka-error.js';
import { groupCoordinatorOf } from './group-coordinator-of.js';

export interface HeartbeatRequest {
  readonly groupId: string;
  readonly generationId: number;
  readonly memberId: string;
  readonly groupInstanceId: string | null;
}

export interface HeartbeatResponse {
  readonly errorCode: number;
}

/** Keeps a member's session, and tells it that a rebalance has begun. */
export const heartbeat = brokerRequest<HeartbeatRequest, HeartbeatResponse>({
  key: 12,
  minVersion: 0,
  maxVersion: 3,

  read: (reader, version) => ({
    groupId: reader.string(),
    generationId: reader.int32(),
    memberId: reader.string(),
    groupInstanceId: version >= 3 ? reader.nullableString() : null,
  }),

  write(writer, { errorCode }, version) {
    const throttleTimeMs = 0;
    if (version >= 1) writer.int32(throttleTimeMs);
    writer.int16(errorCode);
  },

  handle(request, call) {
    groupCoordinatorOf(call, request.groupId).heartbeat(request.groupId, request);
    return { errorCode: KafkaErrorCode.NONE };
  },

  refuse: (_request, errorCode) => ({ errorCode }),
});
