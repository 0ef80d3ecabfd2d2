import { brokerRequest } from '../broker-request.js';
import type { Cluster } from '../state/cluster.js';
import type { TransactionPartition } from '../state/transaction.js';
import type { TransactionalProducer } from '../state/transaction-coordinator.js';
import { KafkaErrorCode } from '../wire/kafka-error.js';
import { answerByTopic, readByTopic, writeByTopic, type ByTopic } from './by-topic.js';
import { readTransactionalProducer } from './read-transactional-producer.js';
import { transactionCoordinatorOf } from './transaction-coordinator-of.js';

export interface AddPartitionsToTxnRequest extends TransactionalProducer {
  readonly topics: readonly ByTopic<number>[];
}

export interface AddPartitionsToTxnResponse {
  readonly topics: readonly ByTopic<{ readonly partition: number; readonly errorCode: number }>[];
}

/** Makes partitions part of a transaction: all of them, or none. */
export const addPartitionsToTxn = brokerRequest<
  AddPartitionsToTxnRequest,
  AddPartitionsToTxnResponse
>({
  key: 24,
  minVersion: 0,
  maxVersion: 1,

  read: (reader) => ({
    ...readTransactionalProducer(reader),
    topics: readByTopic(reader, () => reader.int32()),
  }),

  write(writer, response) {
    const throttleTimeMs = 0;
    writer.int32(throttleTimeMs);
    writeByTopic(writer, response.topics, ({ partition, errorCode }) => {
      writer.int32(partition).int16(errorCode);
    });
  },

  handle(request, call) {
    const { cluster } = call;
    const partitions = partitionsOf(request);
    if (!partitions.every((partition) => exists(cluster, partition))) {
      return notAttempted(request, cluster);
    }
    transactionCoordinatorOf(call, request.transactionalId).addPartitions(request, partitions);
    return sameForAll(request, KafkaErrorCode.NONE);
  },

  refuse: sameForAll,
});

function partitionsOf({ topics }: AddPartitionsToTxnRequest): TransactionPartition[] {
  return topics.flatMap(({ topic, partitions }) =>
    partitions.map((partition) => ({ topic, partition })),
  );
}

function exists({ topics }: Cluster, { topic, partition }: TransactionPartition): boolean {
  return topics.get(topic)?.partitions[partition] !== undefined;
}

function notAttempted(
  request: AddPartitionsToTxnRequest,
  cluster: Cluster,
): AddPartitionsToTxnResponse {
  return {
    topics: answerByTopic(request.topics, (partition, topic) => ({
      partition,
      errorCode: exists(cluster, { topic, partition })
        ? KafkaErrorCode.OPERATION_NOT_ATTEMPTED
        : KafkaErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
    })),
  };
}

function sameForAll(
  request: AddPartitionsToTxnRequest,
  errorCode: number,
): AddPartitionsToTxnResponse {
  return { topics: answerByTopic(request.topics, (partition) => ({ partition, errorCode })) };
}
