import { brokerRequest } from '../broker-request.js';
import type { CommittedOffset, GroupOffsets } from '../state/group-offsets.js';
import { KafkaErrorCode } from '../wire/kafka-error.js';
import { answerByTopic, writeByTopic, type ByTopic } from './by-topic.js';
import { groupCoordinatorOf } from './group-coordinator-of.js';

export interface OffsetFetchRequest {
  readonly groupId: string;
  /** Null asks for all that have an offset. */
  readonly topics: readonly ByTopic<number>[] | null;
}

export interface OffsetFetchPartition extends CommittedOffset {
  readonly partition: number;
  readonly errorCode: number;
}

export interface OffsetFetchResponse {
  readonly errorCode: number;
  readonly topics: readonly ByTopic<OffsetFetchPartition>[];
}

const NO_OFFSET: CommittedOffset = { offset: -1n, metadata: '' };

/** Says how far a group has come; -1 where it has committed nothing. */
export const offsetFetch = brokerRequest<OffsetFetchRequest, OffsetFetchResponse>({
  key: 9,
  minVersion: 1,
  maxVersion: 4,

  read: (reader) => ({
    groupId: reader.string(),
    topics: reader.nullableArray(() => ({
      topic: reader.string(),
      partitions: reader.array(() => reader.int32()),
    })),
  }),

  write(writer, response, version) {
    const throttleTimeMs = 0;
    if (version >= 3) writer.int32(throttleTimeMs);
    writeByTopic(writer, response.topics, ({ partition, offset, metadata, errorCode }) => {
      writer.int32(partition).int64(offset).string(metadata).int16(errorCode);
    });
    if (version >= 2) writer.int16(response.errorCode);
  },

  handle({ groupId, topics }, call) {
    const offsets = groupCoordinatorOf(call, groupId).offsetsOf(groupId);
    return {
      errorCode: KafkaErrorCode.NONE,
      topics: answerByTopic(topics ?? committedIn(offsets), (partition, topic) => ({
        partition,
        ...(offsets?.at(topic, partition) ?? NO_OFFSET),
        errorCode: KafkaErrorCode.NONE,
      })),
    };
  },

  refuse: ({ topics }, errorCode) => ({
    errorCode,
    topics: answerByTopic(topics ?? [], (partition) => ({ partition, ...NO_OFFSET, errorCode })),
  }),
});

function committedIn(offsets: GroupOffsets | undefined): ByTopic<number>[] {
  const committed = [...(offsets?.snapshot() ?? [])];
  return committed.map(([topic, partitions]) => ({ topic, partitions: [...partitions.keys()] }));
}
