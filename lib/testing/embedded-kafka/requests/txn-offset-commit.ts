import { brokerRequest, type RequestCall } from '../broker-request.js';
import type { GroupCoordinator } from '../state/group-coordinator.js';
import type { OffsetToCommit } from '../state/group-offsets.js';
import type { TransactionalProducer } from '../state/transaction-coordinator.js';
import { errorCodeOf, KafkaErrorCode } from '../wire/kafka-error.js';
import { answerByTopic, readByTopic, writeByTopic, type ByTopic } from './by-topic.js';
import { groupCoordinatorOf } from './group-coordinator-of.js';

export interface TxnOffsetCommitPartition {
  readonly partition: number;
  readonly offset: bigint;
  readonly metadata: string | null;
}

export interface TxnOffsetCommitRequest extends TransactionalProducer {
  readonly groupId: string;
  readonly topics: readonly ByTopic<TxnOffsetCommitPartition>[];
}

export interface TxnOffsetCommitResponse {
  readonly topics: readonly ByTopic<{ readonly partition: number; readonly errorCode: number }>[];
}

/** Hands offsets to a group, to be committed when the transaction is. */
export const txnOffsetCommit = brokerRequest<TxnOffsetCommitRequest, TxnOffsetCommitResponse>({
  key: 28,
  minVersion: 0,
  maxVersion: 1,

  read: (reader) => ({
    transactionalId: reader.string(),
    groupId: reader.string(),
    producerId: reader.int64(),
    producerEpoch: reader.int16(),
    topics: readByTopic(reader, () => ({
      partition: reader.int32(),
      offset: reader.int64(),
      metadata: reader.nullableString(),
    })),
  }),

  write(writer, response) {
    const throttleTimeMs = 0;
    writer.int32(throttleTimeMs);
    writeByTopic(writer, response.topics, ({ partition, errorCode }) => {
      writer.int32(partition).int16(errorCode);
    });
  },

  handle(request, call) {
    const groups = groupCoordinatorOf(call, request.groupId);
    call.cluster.transactions.verifyGroup(request, request.groupId);
    return {
      topics: answerByTopic(request.topics, (asked, topic) => ({
        partition: asked.partition,
        errorCode: stage({ topic, ...asked }, request, groups, call),
      })),
    };
  },

  refuse: (request, errorCode) => ({
    topics: answerByTopic(request.topics, ({ partition }) => ({ partition, errorCode })),
  }),
});

function stage(
  offset: OffsetToCommit,
  { groupId, producerId, producerEpoch }: TxnOffsetCommitRequest,
  groups: GroupCoordinator,
  { cluster }: RequestCall,
): number {
  try {
    cluster.topic(offset.topic).partition(offset.partition);
    groups.stageOffsets(groupId, producerId, producerEpoch, [offset]);
    return KafkaErrorCode.NONE;
  } catch (error) {
    return errorCodeOf(error);
  }
}
