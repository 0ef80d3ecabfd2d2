import { brokerRequest } from '../broker-request.js';
import { KafkaErrorCode } from '../wire/kafka-error.js';
import { groupCoordinatorOf } from './group-coordinator-of.js';
import { whileConnected } from './while-connected.js';

export interface SyncGroupRequest {
  readonly groupId: string;
  readonly generationId: number;
  readonly memberId: string;
  readonly groupInstanceId: string | null;
  /** Everybody's part, from the leader; empty from the others. */
  readonly assignments: readonly { readonly memberId: string; readonly assignment: Buffer }[];
}

export interface SyncGroupResponse {
  readonly errorCode: number;
  readonly assignment: Buffer;
}

/** Hands out the leader's assignment; answered when the leader has given it. */
export const syncGroup = brokerRequest<SyncGroupRequest, SyncGroupResponse>({
  key: 14,
  minVersion: 0,
  maxVersion: 3,

  read: (reader, version) => ({
    groupId: reader.string(),
    generationId: reader.int32(),
    memberId: reader.string(),
    groupInstanceId: version >= 3 ? reader.nullableString() : null,
    assignments: reader.array(() => ({
      memberId: reader.string(),
      // A copy: it is kept, and a view would keep all bytes that came with it.
      assignment: Buffer.from(reader.bytesField()),
    })),
  }),

  write(writer, { errorCode, assignment }, version) {
    const throttleTimeMs = 0;
    if (version >= 1) writer.int32(throttleTimeMs);
    writer.int16(errorCode).bytes(assignment);
  },

  async handle(request, call) {
    const { groupId, assignments } = request;
    const parts = new Map(assignments.map(({ memberId, assignment }) => [memberId, assignment]));
    const synced = groupCoordinatorOf(call, groupId).sync(groupId, request, parts);
    const assignment = await whileConnected(synced, call.signal);
    return assignment === null ? null : { errorCode: KafkaErrorCode.NONE, assignment };
  },

  refuse: (_request, errorCode) => ({ errorCode, assignment: Buffer.alloc(0) }),
});
