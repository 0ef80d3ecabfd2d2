import { brokerRequest, type RequestCall } from '../broker-request.js';
import type { DescribedMember, GroupDescription } from '../state/consumer-group.js';
import { errorCodeOf, KafkaErrorCode } from '../wire/kafka-error.js';
import { groupCoordinatorOf } from './group-coordinator-of.js';

export interface DescribeGroupsRequest {
  readonly groupIds: readonly string[];
}

export interface DescribeGroupsGroup {
  readonly errorCode: number;
  readonly groupId: string;
  readonly state: string;
  readonly protocolType: string;
  readonly protocol: string;
  readonly members: readonly Omit<DescribedMember, 'groupInstanceId'>[];
}

export interface DescribeGroupsResponse {
  readonly groups: readonly DescribeGroupsGroup[];
}

/** Says who is in which group, and who has which part. */
export const describeGroups = brokerRequest<DescribeGroupsRequest, DescribeGroupsResponse>({
  key: 15,
  minVersion: 2,
  maxVersion: 2,

  read: (reader) => ({ groupIds: reader.array(() => reader.string()) }),

  write(writer, response) {
    const throttleTimeMs = 0;
    writer.int32(throttleTimeMs).array(response.groups, (group) => {
      writer
        .int16(group.errorCode)
        .string(group.groupId)
        .string(group.state)
        .string(group.protocolType)
        .string(group.protocol)
        .array(group.members, (member) => {
          writer
            .string(member.memberId)
            .string(member.clientId)
            .string(member.clientHost)
            .bytes(member.metadata)
            .bytes(member.assignment);
        });
    });
  },

  handle: ({ groupIds }, call) => ({ groups: groupIds.map((groupId) => describe(groupId, call)) }),

  refuse: ({ groupIds }, errorCode) => ({
    groups: groupIds.map((groupId) => withoutMembers(groupId, '', errorCode)),
  }),
});

function describe(groupId: string, call: RequestCall): DescribeGroupsGroup {
  try {
    const group = groupCoordinatorOf(call, groupId).describe(groupId);
    // A group that is not there is a dead one in these versions, and no error.
    if (group === undefined) return withoutMembers(groupId, 'Dead', KafkaErrorCode.NONE);
    return { errorCode: KafkaErrorCode.NONE, ...visible(group) };
  } catch (error) {
    return withoutMembers(groupId, '', errorCodeOf(error));
  }
}

/** Until a group is stable, nobody is told what will be agreed on in it. */
function visible({ groupId, state, protocolType, protocol, members }: GroupDescription) {
  if (state === 'Stable') {
    return { groupId, state, protocolType, protocol: protocol ?? '', members };
  }
  const nothing = Buffer.alloc(0);
  return {
    groupId,
    state,
    protocolType,
    protocol: '',
    members: members.map((member) => ({ ...member, metadata: nothing, assignment: nothing })),
  };
}

function withoutMembers(groupId: string, state: string, errorCode: number): DescribeGroupsGroup {
  return { errorCode, groupId, state, protocolType: '', protocol: '', members: [] };
}
