import { brokerRequest, type RequestCall } from '../broker-request.js';
import type { IsolationLevel } from '../state/partition-log.js';
import type { AbortedTransaction } from '../state/producer-states.js';
import { errorCodeOf, KafkaErrorCode } from '../wire/kafka-error.js';
import { answerByTopic, readByTopic, writeByTopic, type ByTopic } from './by-topic.js';
import { ChangeWatch } from './change-watch.js';
import { isolationLevelOf } from './isolation-level.js';

export interface FetchPartition {
  readonly partition: number;
  /** -1 where the client does not know it. */
  readonly currentLeaderEpoch: number;
  readonly fetchOffset: bigint;
  readonly logStart: bigint;
  readonly maxBytes: number;
}

export interface FetchRequest {
  readonly replicaId: number;
  readonly maxWaitMs: number;
  readonly minBytes: number;
  readonly maxBytes: number;
  readonly isolation: IsolationLevel;
  readonly sessionId: number;
  readonly sessionEpoch: number;
  readonly topics: readonly ByTopic<FetchPartition>[];
  readonly forgottenTopics: readonly ByTopic<number>[];
  readonly rackId: string;
}

export interface FetchPartitionResult {
  readonly partition: number;
  readonly errorCode: number;
  readonly highWatermark: bigint;
  readonly lastStableOffset: bigint;
  readonly logStart: bigint;
  /** Null when uncommitted records are read. */
  readonly abortedTransactions:
    readonly Pick<AbortedTransaction, 'producerId' | 'firstOffset'>[] | null;
  /** Whole record batches, one after the other. */
  readonly batches: readonly Buffer[];
}

export interface FetchResponse {
  readonly errorCode: number;
  readonly topics: readonly ByTopic<FetchPartitionResult>[];
}

const NO_SESSION = 0;
const NO_EPOCH = -1;

/**
 * Reads records, waiting for them as long as the client allows. The wait is the process's time, not
 * the cluster's clock. No fetch sessions are opened: every request names all it wants.
 */
export const fetch = brokerRequest<FetchRequest, FetchResponse>({
  key: 1,
  minVersion: 4,
  maxVersion: 11,

  read: (reader, version) => ({
    replicaId: reader.int32(),
    maxWaitMs: reader.int32(),
    minBytes: reader.int32(),
    maxBytes: reader.int32(),
    isolation: isolationLevelOf(reader.int8()),
    sessionId: version >= 7 ? reader.int32() : NO_SESSION,
    sessionEpoch: version >= 7 ? reader.int32() : NO_EPOCH,
    topics: readByTopic(reader, () => ({
      partition: reader.int32(),
      currentLeaderEpoch: version >= 9 ? reader.int32() : NO_EPOCH,
      fetchOffset: reader.int64(),
      logStart: version >= 5 ? reader.int64() : -1n,
      maxBytes: reader.int32(),
    })),
    forgottenTopics: version >= 7 ? readByTopic(reader, () => reader.int32()) : [],
    rackId: version >= 11 ? reader.string() : '',
  }),

  write(writer, response, version) {
    const throttleTimeMs = 0;
    const anyReplica = -1;
    writer.int32(throttleTimeMs);
    if (version >= 7) writer.int16(response.errorCode).int32(NO_SESSION);
    writeByTopic(writer, response.topics, (result) => {
      writer
        .int32(result.partition)
        .int16(result.errorCode)
        .int64(result.highWatermark)
        .int64(result.lastStableOffset);
      if (version >= 5) writer.int64(result.logStart);
      writer.array(result.abortedTransactions, ({ producerId, firstOffset }) => {
        writer.int64(producerId).int64(firstOffset);
      });
      if (version >= 11) writer.int32(anyReplica);
      writer.int32(bytesIn(result));
      for (const batch of result.batches) writer.raw(batch);
    });
  },

  async handle(request, call) {
    // Epoch 0 opens a session and -1 asks for none; any other continues one that we never opened.
    if (request.sessionEpoch > 0) {
      return { errorCode: KafkaErrorCode.FETCH_SESSION_ID_NOT_FOUND, topics: [] };
    }
    const first = readAll(request, call);
    return suffices(first, request) ? first : waitForMore(request, call);
  },

  refuse: (request, errorCode) => ({
    errorCode,
    topics: answerByTopic(request.topics, ({ partition }) =>
      refusedPartition(partition, errorCode),
    ),
  }),
});

async function waitForMore(request: FetchRequest, call: RequestCall): Promise<FetchResponse> {
  const logs = request.topics.flatMap(({ topic, partitions }) =>
    partitions.map(({ partition }) => call.cluster.topic(topic).partition(partition).log),
  );
  const watch = new ChangeWatch(logs, request.maxWaitMs, call.signal);
  try {
    for (;;) {
      const mayWaitOn = await watch.changed();
      const read = readAll(request, call);
      if (!mayWaitOn || suffices(read, request)) return read;
    }
  } finally {
    watch.close();
  }
}

/** As in Kafka, an error or a request for nothing is answered at once. */
function suffices({ topics }: FetchResponse, { minBytes, maxWaitMs }: FetchRequest): boolean {
  const results = topics.flatMap(({ partitions }) => partitions);
  return (
    maxWaitMs <= 0 ||
    results.length === 0 ||
    results.some(({ errorCode }) => errorCode !== KafkaErrorCode.NONE) ||
    results.reduce((bytes, result) => bytes + bytesIn(result), 0) >= minBytes
  );
}

function readAll(request: FetchRequest, call: RequestCall): FetchResponse {
  let bytesLeft = request.maxBytes;
  let isEmpty = true;
  const topics = answerByTopic(request.topics, (asked, topic) => {
    const maxBytes = Math.max(0, Math.min(asked.maxBytes, bytesLeft));
    const limits = { maxBytes, isolation: request.isolation, atLeastOne: isEmpty };
    const result = readPartition(asked, { topic, ...limits }, call);
    bytesLeft -= bytesIn(result);
    isEmpty &&= result.batches.length === 0;
    return result;
  });
  return { errorCode: KafkaErrorCode.NONE, topics };
}

interface Limits {
  readonly topic: string;
  readonly maxBytes: number;
  readonly isolation: IsolationLevel;
  readonly atLeastOne: boolean;
}

function readPartition(
  { partition, currentLeaderEpoch, fetchOffset }: FetchPartition,
  { topic, ...limits }: Limits,
  { cluster, nodeId }: RequestCall,
): FetchPartitionResult {
  try {
    const led = cluster.topic(topic).ledBy(nodeId, partition);
    led.checkLeaderEpoch(currentLeaderEpoch);
    const { highWatermark, lastStableOffset, logStart } = led.log;
    const { batches, abortedTransactions: aborted } = led.log.read(fetchOffset, limits);
    const abortedTransactions = limits.isolation === 'READ_COMMITTED' ? aborted : null;
    const found = { highWatermark, lastStableOffset, logStart, abortedTransactions, batches };
    return { partition, errorCode: KafkaErrorCode.NONE, ...found };
  } catch (error) {
    return refusedPartition(partition, errorCodeOf(error));
  }
}

function refusedPartition(partition: number, errorCode: number): FetchPartitionResult {
  const offsets = { highWatermark: -1n, lastStableOffset: -1n, logStart: -1n };
  return { partition, errorCode, ...offsets, abortedTransactions: null, batches: [] };
}

function bytesIn({ batches }: FetchPartitionResult): number {
  return batches.reduce((bytes, batch) => bytes + batch.length, 0);
}
