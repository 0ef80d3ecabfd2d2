import { describe, expect, it } from '@jest/globals';
import {
  produce,
  type ProducePartition,
  type ProduceResponse,
} from '../../../../lib/testing/embedded-kafka/requests/produce.js';
import { KafkaErrorCode } from '../../../../lib/testing/embedded-kafka/wire/kafka-error.js';
import { callTo, idleCluster } from '../../../support/broker-call.js';
import { producedBatch } from '../../../support/record-batches.js';

const NOTHING_STORED = { baseOffset: -1n, logAppendTime: -1n, logStart: -1n };

function setUp() {
  const cluster = idleCluster(2);
  const topic = cluster.createTopic('orders', 3);
  topic.partition(0).leaderId = 0;
  topic.partition(1).leaderId = 1;
  topic.partition(2).leaderId = 0;
  const send = async (
    partitions: readonly ProducePartition[],
    { acks = -1, transactionalId = null }: { acks?: number; transactionalId?: string | null } = {},
  ) => {
    const topics = [{ topic: 'orders', partitions }];
    const request = { transactionalId, acks, timeoutMs: 1, topics };
    return resultsOf(await produce.handle(request, callTo(cluster)));
  };
  const highWatermarks = () => topic.partitions.map(({ log }) => Number(log.highWatermark));
  return { cluster, send, highWatermarks };
}

function resultsOf(response: ProduceResponse | null) {
  return response?.topics.flatMap(({ partitions }) => partitions) ?? null;
}

describe('produce', () => {
  const records = producedBatch().bytes;

  it('answers for each partition on its own', async () => {
    const { send, highWatermarks } = setUp();
    const asked = [0, 1, 2, 3].map((partition) => ({ partition, records }));
    const nothing = { partition: 2, records: null };
    expect(await send([...asked, nothing])).toEqual([
      { partition: 0, errorCode: 0, baseOffset: 0n, logAppendTime: -1n, logStart: 0n },
      { partition: 1, errorCode: KafkaErrorCode.NOT_LEADER_OR_FOLLOWER, ...NOTHING_STORED },
      { partition: 2, errorCode: 0, baseOffset: 0n, logAppendTime: -1n, logStart: 0n },
      { partition: 3, errorCode: KafkaErrorCode.UNKNOWN_TOPIC_OR_PARTITION, ...NOTHING_STORED },
      { partition: 2, errorCode: KafkaErrorCode.INVALID_RECORD, ...NOTHING_STORED },
    ]);
    expect(highWatermarks()).toEqual([1, 0, 1]);
  });

  it('stores without an answer where none is wanted', async () => {
    const { send, highWatermarks } = setUp();
    expect(await send([{ partition: 0, records }], { acks: 0 })).toBeNull();
    expect(highWatermarks()).toEqual([1, 0, 0]);
  });

  it('takes a batch of a transaction only where its partition was added', async () => {
    const { cluster, send, highWatermarks } = setUp();
    const transactionalId = 'shop';
    const producer = cluster.transactions.initProducer(transactionalId, 1_000);
    cluster.transactions.addPartitions({ transactionalId, ...producer }, [
      { topic: 'orders', partition: 0 },
    ]);
    const batch = producedBatch({ ...producer, transactional: true });
    const asked = [0, 2].map((partition) => ({ partition, records: batch.bytes }));
    const errors = async (id: string | null) =>
      (await send(asked, { transactionalId: id }))?.map(({ errorCode }) => errorCode);
    const { INVALID_TXN_STATE, NONE, INVALID_PRODUCER_ID_MAPPING } = KafkaErrorCode;
    expect(await errors(null)).toEqual([INVALID_TXN_STATE, INVALID_TXN_STATE]);
    expect(await errors('other')).toEqual([
      INVALID_PRODUCER_ID_MAPPING,
      INVALID_PRODUCER_ID_MAPPING,
    ]);
    expect(await errors(transactionalId)).toEqual([NONE, INVALID_TXN_STATE]);
    expect(highWatermarks()).toEqual([1, 0, 0]);
  });
});
