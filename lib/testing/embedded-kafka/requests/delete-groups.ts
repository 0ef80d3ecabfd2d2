import { brokerRequest, type RequestCall } from '../broker-request.js';
import { errorCodeOf, KafkaErrorCode } from '../wire/kafka-error.js';
import { groupCoordinatorOf } from './group-coordinator-of.js';

export interface DeleteGroupsRequest {
  readonly groupIds: readonly string[];
}

export interface DeleteGroupsResponse {
  readonly results: readonly { readonly groupId: string; readonly errorCode: number }[];
}

/** Removes groups without members, with their offsets. */
export const deleteGroups = brokerRequest<DeleteGroupsRequest, DeleteGroupsResponse>({
  key: 42,
  minVersion: 1,
  maxVersion: 1,

  read: (reader) => ({ groupIds: reader.array(() => reader.string()) }),

  write(writer, { results }) {
    const throttleTimeMs = 0;
    writer.int32(throttleTimeMs).array(results, ({ groupId, errorCode }) => {
      writer.string(groupId).int16(errorCode);
    });
  },

  handle: ({ groupIds }, call) => ({
    results: groupIds.map((groupId) => ({ groupId, errorCode: deleteOne(groupId, call) })),
  }),

  refuse: ({ groupIds }, errorCode) => ({
    results: groupIds.map((groupId) => ({ groupId, errorCode })),
  }),
});

function deleteOne(groupId: string, call: RequestCall): number {
  try {
    groupCoordinatorOf(call, groupId).delete(groupId);
    return KafkaErrorCode.NONE;
  } catch (error) {
    return errorCodeOf(error);
  }
}
