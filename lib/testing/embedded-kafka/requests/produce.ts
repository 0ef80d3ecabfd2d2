import { brokerRequest, type RequestCall } from '../broker-request.js';
import { errorCodeOf, KafkaErrorCode, KafkaProtocolError } from '../wire/kafka-error.js';
import { RecordBatch } from '../wire/record-batch.js';
import { answerByTopic, readByTopic, writeByTopic, type ByTopic } from './by-topic.js';

export interface ProducePartition {
  readonly partition: number;
  /** One record batch. */
  readonly records: Buffer | null;
}

export interface ProduceRequest {
  readonly transactionalId: string | null;
  readonly acks: number;
  readonly timeoutMs: number;
  readonly topics: readonly ByTopic<ProducePartition>[];
}

export interface ProducePartitionResult {
  readonly partition: number;
  readonly errorCode: number;
  /** -1 where nothing was stored. */
  readonly baseOffset: bigint;
  /** -1 where the records keep their producer's time. */
  readonly logAppendTime: bigint;
  readonly logStart: bigint;
}

export interface ProduceResponse {
  readonly topics: readonly ByTopic<ProducePartitionResult>[];
}

/** Stores records. There is one copy of each log, so acks 1 and -1 promise the same. */
export const produce = brokerRequest<ProduceRequest, ProduceResponse>({
  key: 0,
  minVersion: 3,
  maxVersion: 7,
  // Without it librdkafka does not compress; Kafka 4 tells the same and answers no less either.
  // https://issues.apache.org/jira/browse/KAFKA-18659
  advertisedMinVersion: 0,

  read: (reader) => ({
    transactionalId: reader.nullableString(),
    acks: reader.int16(),
    timeoutMs: reader.int32(),
    topics: readByTopic(reader, () => ({
      partition: reader.int32(),
      records: reader.nullableBytes(),
    })),
  }),

  write(writer, response, version) {
    const throttleTimeMs = 0;
    writeByTopic(writer, response.topics, (result) => {
      writer
        .int32(result.partition)
        .int16(result.errorCode)
        .int64(result.baseOffset)
        .int64(result.logAppendTime);
      if (version >= 5) writer.int64(result.logStart);
    });
    writer.int32(throttleTimeMs);
  },

  handle(request, call) {
    if (request.acks < -1 || request.acks > 1) {
      return refusal(request, KafkaErrorCode.INVALID_REQUIRED_ACKS);
    }
    const { transactionalId } = request;
    const topics = answerByTopic(request.topics, (asked, topic) =>
      store(asked, { topic, transactionalId }, call),
    );
    return request.acks === 0 ? null : { topics };
  },

  refuse: refusal,
});

function store(
  { partition, records }: ProducePartition,
  of: { readonly topic: string; readonly transactionalId: string | null },
  { cluster, nodeId }: RequestCall,
): ProducePartitionResult {
  try {
    const { log, leaderEpoch } = cluster.topic(of.topic).ledBy(nodeId, partition);
    const batch = RecordBatch.parse(records ?? Buffer.alloc(0));
    if (batch.isTransactional) {
      const { producerId, producerEpoch } = batch;
      const producer = { transactionalId: transactionalIdOf(of), producerId, producerEpoch };
      cluster.transactions.verifyPartition(producer, { topic: of.topic, partition });
    }
    const { baseOffset, logAppendTime } = log.append(batch, leaderEpoch);
    const { logStart } = log;
    return { partition, errorCode: KafkaErrorCode.NONE, baseOffset, logAppendTime, logStart };
  } catch (error) {
    return refusedPartition(partition, errorCodeOf(error));
  }
}

function transactionalIdOf(of: { readonly transactionalId: string | null }): string {
  if (of.transactionalId === null) {
    throw new KafkaProtocolError('INVALID_TXN_STATE', 'a transactional batch without its id');
  }
  return of.transactionalId;
}

function refusal(request: ProduceRequest, errorCode: number): ProduceResponse {
  return {
    topics: answerByTopic(request.topics, ({ partition }) =>
      refusedPartition(partition, errorCode),
    ),
  };
}

function refusedPartition(partition: number, errorCode: number): ProducePartitionResult {
  return { partition, errorCode, baseOffset: -1n, logAppendTime: -1n, logStart: -1n };
}
