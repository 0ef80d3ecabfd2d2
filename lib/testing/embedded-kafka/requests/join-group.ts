import { brokerRequest } from '../broker-request.js';
import { MemberIdRequiredError } from '../state/membership.js';
import type { JoinAnswer, MemberProtocol } from '../state/group-member.js';
import { errorCodeOf, KafkaErrorCode } from '../wire/kafka-error.js';
import { groupCoordinatorOf } from './group-coordinator-of.js';
import { whileConnected } from './while-connected.js';

export interface JoinGroupRequest {
  readonly groupId: string;
  readonly sessionTimeoutMs: number;
  readonly rebalanceTimeoutMs: number;
  /** Empty before the broker has given one. */
  readonly memberId: string;
  readonly groupInstanceId: string | null;
  readonly protocolType: string;
  readonly protocols: readonly MemberProtocol[];
}

export interface JoinGroupResponse extends JoinAnswer {
  readonly errorCode: number;
}

/** Makes a client a member of a group; answered when the group has gathered. */
export const joinGroup = brokerRequest<JoinGroupRequest, JoinGroupResponse>({
  key: 11,
  minVersion: 0,
  maxVersion: 5,

  read(reader, version) {
    const groupId = reader.string();
    const sessionTimeoutMs = reader.int32();
    return {
      groupId,
      sessionTimeoutMs,
      rebalanceTimeoutMs: version >= 1 ? reader.int32() : sessionTimeoutMs,
      memberId: reader.string(),
      groupInstanceId: version >= 5 ? reader.nullableString() : null,
      protocolType: reader.string(),
      protocols: reader.array(() => ({
        name: reader.string(),
        // A copy: it is kept, and a view would keep all bytes that came with it.
        metadata: Buffer.from(reader.bytesField()),
      })),
    };
  },

  write(writer, response, version) {
    const throttleTimeMs = 0;
    if (version >= 2) writer.int32(throttleTimeMs);
    writer
      .int16(response.errorCode)
      .int32(response.generationId)
      .string(response.protocol)
      .string(response.leaderId)
      .string(response.memberId)
      .array(response.members, ({ memberId, groupInstanceId, metadata }) => {
        writer.string(memberId);
        if (version >= 5) writer.string(groupInstanceId);
        writer.bytes(metadata);
      });
  },

  async handle(request, call) {
    const { groupId, ...membership } = request;
    const { clientHost, signal } = call;
    const clientId = call.clientId ?? '';
    try {
      const joined = groupCoordinatorOf(call, groupId).join(groupId, {
        ...membership,
        // KIP-394: older clients do not know how to ask again.
        knowsIdIsRequired: call.apiVersion >= 4,
        clientId,
        clientHost,
      });
      const answer = await whileConnected(joined, signal);
      return answer === null ? null : { errorCode: KafkaErrorCode.NONE, ...answer };
    } catch (error) {
      if (!(error instanceof MemberIdRequiredError)) throw error;
      return refusal(error.memberId, errorCodeOf(error));
    }
  },

  refuse: ({ memberId }, errorCode) => refusal(memberId, errorCode),
});

function refusal(memberId: string, errorCode: number): JoinGroupResponse {
  return { errorCode, generationId: -1, protocol: '', leaderId: '', memberId, members: [] };
}
