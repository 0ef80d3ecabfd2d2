import { brokerRequest, type RequestCall } from '../broker-request.js';
import type { IsolationLevel, PartitionLog } from '../state/partition-log.js';
import { errorCodeOf, KafkaErrorCode, KafkaProtocolError } from '../wire/kafka-error.js';
import type { RecordTime } from '../wire/record-times.js';
import { answerByTopic, readByTopic, writeByTopic, type ByTopic } from './by-topic.js';
import { isolationLevelOf } from './isolation-level.js';

const LATEST = -1n;
const EARLIEST = -2n;
const UNKNOWN = -1n;

export interface ListOffsetsPartition {
  readonly partition: number;
  /** Milliseconds since the Unix epoch; -1 for the end, -2 for the beginning. */
  readonly timestamp: bigint;
}

export interface ListOffsetsRequest {
  readonly replicaId: number;
  readonly isolation: IsolationLevel;
  readonly topics: readonly ByTopic<ListOffsetsPartition>[];
}

export interface ListOffsetsPartitionResult {
  readonly partition: number;
  readonly errorCode: number;
  /** The found record's; -1 for the beginning and the end. */
  readonly timestamp: bigint;
  /** -1 where no record is that young. */
  readonly offset: bigint;
}

export interface ListOffsetsResponse {
  readonly topics: readonly ByTopic<ListOffsetsPartitionResult>[];
}

/** Where a log begins or ends, and the first record made at a time or later. */
export const listOffsets = brokerRequest<ListOffsetsRequest, ListOffsetsResponse>({
  key: 2,
  minVersion: 1,
  maxVersion: 3,

  read: (reader, version) => ({
    replicaId: reader.int32(),
    isolation: isolationLevelOf(version >= 2 ? reader.int8() : 0),
    topics: readByTopic(reader, () => ({ partition: reader.int32(), timestamp: reader.int64() })),
  }),

  write(writer, response, version) {
    const throttleTimeMs = 0;
    if (version >= 2) writer.int32(throttleTimeMs);
    writeByTopic(writer, response.topics, ({ partition, errorCode, timestamp, offset }) => {
      writer.int32(partition).int16(errorCode).int64(timestamp).int64(offset);
    });
  },

  handle: (request, call) => ({
    topics: answerByTopic(request.topics, (asked, topic) =>
      find(asked, topic, request.isolation, call),
    ),
  }),

  refuse: (request, errorCode) => ({
    topics: answerByTopic(request.topics, ({ partition }) =>
      refusedPartition(partition, errorCode),
    ),
  }),
});

function find(
  { partition, timestamp }: ListOffsetsPartition,
  topic: string,
  isolation: IsolationLevel,
  { cluster, nodeId }: RequestCall,
): ListOffsetsPartitionResult {
  try {
    const { log } = cluster.topic(topic).ledBy(nodeId, partition);
    const found = findIn(log, timestamp, isolation);
    return { partition, errorCode: KafkaErrorCode.NONE, ...found };
  } catch (error) {
    return refusedPartition(partition, errorCodeOf(error));
  }
}

function findIn(log: PartitionLog, timestamp: bigint, isolation: IsolationLevel): RecordTime {
  const end = isolation === 'READ_COMMITTED' ? log.lastStableOffset : log.highWatermark;
  if (timestamp === LATEST) return { timestamp: UNKNOWN, offset: end };
  if (timestamp === EARLIEST) return { timestamp: UNKNOWN, offset: log.logStart };
  // Later versions give meaning to other negative times.
  if (timestamp < 0n) throw new KafkaProtocolError('UNSUPPORTED_VERSION', String(timestamp));
  const found = log.offsetForTimestamp(timestamp);
  return found !== undefined && found.offset < end
    ? found
    : { timestamp: UNKNOWN, offset: UNKNOWN };
}

function refusedPartition(partition: number, errorCode: number): ListOffsetsPartitionResult {
  return { partition, errorCode, timestamp: UNKNOWN, offset: UNKNOWN };
}
