import { brokerRequest, type RequestCall } from '../broker-request.js';
import { errorCodeOf, KafkaErrorCode } from '../wire/kafka-error.js';
import { answerByTopic, readByTopic, writeByTopic, type ByTopic } from './by-topic.js';

const UP_TO_THE_END = -1n;

export interface DeleteRecordsPartition {
  readonly partition: number;
  /** The first offset to keep; -1 to keep none. */
  readonly offset: bigint;
}

export interface DeleteRecordsRequest {
  readonly topics: readonly ByTopic<DeleteRecordsPartition>[];
  readonly timeoutMs: number;
}

export interface DeleteRecordsPartitionResult {
  readonly partition: number;
  /** Where the log begins now; -1 after an error. */
  readonly lowWatermark: bigint;
  readonly errorCode: number;
}

export interface DeleteRecordsResponse {
  readonly topics: readonly ByTopic<DeleteRecordsPartitionResult>[];
}

/** Moves the beginning of logs forward. */
export const deleteRecords = brokerRequest<DeleteRecordsRequest, DeleteRecordsResponse>({
  key: 21,
  minVersion: 1,
  maxVersion: 1,

  read: (reader) => ({
    topics: readByTopic(reader, () => ({ partition: reader.int32(), offset: reader.int64() })),
    timeoutMs: reader.int32(),
  }),

  write(writer, response) {
    const throttleTimeMs = 0;
    writer.int32(throttleTimeMs);
    writeByTopic(writer, response.topics, ({ partition, lowWatermark, errorCode }) => {
      writer.int32(partition).int64(lowWatermark).int16(errorCode);
    });
  },

  handle: (request, call) => ({
    topics: answerByTopic(request.topics, (asked, topic) => deleteIn(asked, topic, call)),
  }),

  refuse: (request, errorCode) => ({
    topics: answerByTopic(request.topics, ({ partition }) =>
      refusedPartition(partition, errorCode),
    ),
  }),
});

function deleteIn(
  { partition, offset }: DeleteRecordsPartition,
  topic: string,
  { cluster, nodeId }: RequestCall,
): DeleteRecordsPartitionResult {
  try {
    const { log } = cluster.topic(topic).ledBy(nodeId, partition);
    log.deleteBefore(offset === UP_TO_THE_END ? log.highWatermark : offset);
    return { partition, lowWatermark: log.logStart, errorCode: KafkaErrorCode.NONE };
  } catch (error) {
    return refusedPartition(partition, errorCodeOf(error));
  }
}

function refusedPartition(partition: number, errorCode: number): DeleteRecordsPartitionResult {
  return { partition, lowWatermark: -1n, errorCode };
}
