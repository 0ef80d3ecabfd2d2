import { brokerRequest } from '../broker-request.js';
import type { LeaveResult, MemberClaim } from '../state/membership.js';
import { KafkaErrorCode } from '../wire/kafka-error.js';
import { groupCoordinatorOf } from './group-coordinator-of.js';

export interface LeaveGroupRequest {
  readonly groupId: string;
  readonly members: readonly MemberClaim[];
}

export interface LeaveGroupResponse {
  readonly errorCode: number;
  readonly members: readonly LeaveResult[];
}

/** Ends memberships at once instead of with their sessions. */
export const leaveGroup = brokerRequest<LeaveGroupRequest, LeaveGroupResponse>({
  key: 13,
  minVersion: 0,
  maxVersion: 3,

  read(reader, version) {
    const groupId = reader.string();
    if (version < 3) {
      return { groupId, members: [{ memberId: reader.string(), groupInstanceId: null }] };
    }
    const members = reader.array(() => ({
      memberId: reader.string(),
      groupInstanceId: reader.nullableString(),
    }));
    return { groupId, members };
  },

  write(writer, response, version) {
    const throttleTimeMs = 0;
    if (version >= 1) writer.int32(throttleTimeMs);
    if (version < 3) {
      writer.int16(response.errorCode || (response.members[0]?.errorCode ?? KafkaErrorCode.NONE));
      return;
    }
    writer
      .int16(response.errorCode)
      .array(response.members, ({ memberId, groupInstanceId, errorCode }) => {
        writer.string(memberId).string(groupInstanceId).int16(errorCode);
      });
  },

  handle({ groupId, members }, call) {
    const left = groupCoordinatorOf(call, groupId).leave(groupId, members);
    return { errorCode: KafkaErrorCode.NONE, members: left };
  },

  refuse: (_request, errorCode) => ({ errorCode, members: [] }),
});
