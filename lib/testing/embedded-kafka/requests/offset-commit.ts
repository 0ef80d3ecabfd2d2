import { brokerRequest, type RequestCall } from '../broker-request.js';
import type { Membership } from '../state/membership.js';
import type { GroupOffsets, OffsetToCommit } from '../state/group-offsets.js';
import { errorCodeOf, KafkaErrorCode } from '../wire/kafka-error.js';
import { answerByTopic, readByTopic, writeByTopic, type ByTopic } from './by-topic.js';
import { groupCoordinatorOf } from './group-coordinator-of.js';

export interface OffsetCommitPartition {
  readonly partition: number;
  readonly offset: bigint;
  readonly metadata: string | null;
}

export interface OffsetCommitRequest {
  readonly groupId: string;
  /** -1 outside of generations. */
  readonly generationId: number;
  readonly memberId: string;
  readonly topics: readonly ByTopic<OffsetCommitPartition>[];
}

export interface OffsetCommitResponse {
  readonly topics: readonly ByTopic<{ readonly partition: number; readonly errorCode: number }>[];
}

/** Stores how far a group has come in its partitions. */
export const offsetCommit = brokerRequest<OffsetCommitRequest, OffsetCommitResponse>({
  key: 8,
  minVersion: 2,
  maxVersion: 5,

  read(reader, version) {
    const groupId = reader.string();
    const generationId = reader.int32();
    const memberId = reader.string();
    // How long to keep the offset: since version 5 the broker's affair alone.
    if (version < 5) reader.int64();
    const topics = readByTopic(reader, () => ({
      partition: reader.int32(),
      offset: reader.int64(),
      metadata: reader.nullableString(),
    }));
    return { groupId, generationId, memberId, topics };
  },

  write(writer, response, version) {
    const throttleTimeMs = 0;
    if (version >= 3) writer.int32(throttleTimeMs);
    writeByTopic(writer, response.topics, ({ partition, errorCode }) => {
      writer.int32(partition).int16(errorCode);
    });
  },

  handle(request, call) {
    const { groupId, memberId, generationId } = request;
    const membership: Membership = { memberId, groupInstanceId: null, generationId };
    const offsets = groupCoordinatorOf(call, groupId).offsetsToCommit(groupId, membership);
    return {
      topics: answerByTopic(request.topics, (asked, topic) => ({
        partition: asked.partition,
        errorCode: commit({ topic, ...asked }, offsets, call),
      })),
    };
  },

  refuse: (request, errorCode) => ({
    topics: answerByTopic(request.topics, ({ partition }) => ({ partition, errorCode })),
  }),
});

/** As in Kafka, the topic must be there; the partition need not. */
function commit(offset: OffsetToCommit, offsets: GroupOffsets, { cluster }: RequestCall): number {
  try {
    cluster.topic(offset.topic);
    offsets.commit(offset);
    return KafkaErrorCode.NONE;
  } catch (error) {
    return errorCodeOf(error);
  }
}
