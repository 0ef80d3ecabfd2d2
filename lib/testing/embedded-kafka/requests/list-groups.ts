import { brokerRequest } from '../broker-request.js';
import { KafkaErrorCode } from '../wire/kafka-error.js';

export type ListGroupsRequest = Readonly<Record<string, never>>;

export interface ListGroupsResponse {
  readonly errorCode: number;
  readonly groups: readonly {
    readonly groupId: string;
    /** Empty for a group that only keeps offsets. */
    readonly protocolType: string;
  }[];
}

/** Names the groups that the broker coordinates. */
export const listGroups = brokerRequest<ListGroupsRequest, ListGroupsResponse>({
  key: 16,
  minVersion: 2,
  maxVersion: 2,

  read: () => ({}),

  write(writer, { errorCode, groups }) {
    const throttleTimeMs = 0;
    writer
      .int32(throttleTimeMs)
      .int16(errorCode)
      .array(groups, ({ groupId, protocolType }) => {
        writer.string(groupId).string(protocolType);
      });
  },

  handle: (_request, { cluster, nodeId }) => ({
    errorCode: KafkaErrorCode.NONE,
    groups: cluster.groups
      .list()
      .filter(({ groupId }) => cluster.coordinatorOf('group', groupId) === nodeId),
  }),

  refuse: (_request, errorCode) => ({ errorCode, groups: [] }),
});
