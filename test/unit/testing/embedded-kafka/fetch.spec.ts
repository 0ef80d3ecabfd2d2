import { describe, expect, it } from '@jest/globals';
import {
  fetch,
  type FetchRequest,
  type FetchResponse,
} from '../../../../lib/testing/embedded-kafka/requests/fetch.js';
import { KafkaErrorCode } from '../../../../lib/testing/embedded-kafka/wire/kafka-error.js';
import { callTo, idleCluster } from '../../../support/broker-call.js';
import { producedBatch } from '../../../support/record-batches.js';

/** Longer than any test. */
const FOREVER_MS = 600_000;
const { length: BATCH_BYTES } = producedBatch().bytes;

function setUp({ brokers = 1 } = {}) {
  const cluster = idleCluster(brokers);
  const topic = cluster.createTopic('orders', 2);
  for (const partition of topic.partitions) partition.leaderId = 0;
  const connection = new AbortController();
  const call = callTo(cluster, connection.signal);
  const ask = async (options: Partial<FetchRequest> = {}, maxBytes = 1_000_000) =>
    answered(await fetch.handle({ ...requestFor(maxBytes), ...options }, call));
  const write = (partition: number) => topic.partition(partition).log.append(producedBatch(), 0);
  return { cluster, topic, connection, ask, write };
}

function requestFor(maxBytes: number): FetchRequest {
  const partitions = [0, 1].map((partition) => ({
    partition,
    currentLeaderEpoch: -1,
    fetchOffset: 0n,
    logStart: -1n,
    maxBytes,
  }));
  return {
    replicaId: -1,
    maxWaitMs: FOREVER_MS,
    minBytes: 1,
    maxBytes: 50_000_000,
    isolation: 'READ_UNCOMMITTED',
    sessionId: 0,
    sessionEpoch: -1,
    topics: [{ topic: 'orders', partitions }],
    forgottenTopics: [],
    rackId: '',
  };
}

function answered(response: FetchResponse | null) {
  const partitions = response?.topics.flatMap(({ partitions: results }) => results) ?? [];
  return {
    errorCode: response?.errorCode,
    errors: partitions.map(({ errorCode }) => errorCode),
    counts: partitions.map(({ batches }) => batches.length),
  };
}

describe('fetch', () => {
  it('waits for the least number of bytes, counted over all partitions', async () => {
    const { ask, write } = setUp();
    const waiting = ask({ minBytes: 3 * BATCH_BYTES });
    write(0);
    await Promise.resolve();
    write(1);
    await Promise.resolve();
    write(0);
    expect((await waiting).counts).toEqual([2, 1]);
  });

  it('answers what there is when the time is over', async () => {
    const { ask, write } = setUp();
    write(0);
    expect((await ask({ minBytes: 10_000, maxWaitMs: 20 })).counts).toEqual([1, 0]);
  });

  it('gives one batch for the whole answer where even that is more than it may', async () => {
    const { ask, write } = setUp();
    for (const partition of [0, 0, 1]) write(partition);
    expect((await ask({ maxBytes: 1 })).counts).toEqual([1, 0]);
    expect((await ask({ maxBytes: 2 * BATCH_BYTES })).counts).toEqual([2, 0]);
    expect((await ask({}, BATCH_BYTES)).counts).toEqual([1, 1]);
  });

  it('answers at once what goes wrong while it waits', async () => {
    const { NOT_LEADER_OR_FOLLOWER, UNKNOWN_TOPIC_OR_PARTITION, NONE } = KafkaErrorCode;
    const { cluster, topic, ask } = setUp({ brokers: 2 });
    const moved = ask();
    topic.partition(1).moveTo(1);
    expect((await moved).errors).toEqual([NONE, NOT_LEADER_OR_FOLLOWER]);

    topic.partition(1).moveTo(0);
    const deleted = ask();
    cluster.deleteTopic('orders');
    expect((await deleted).errors).toEqual([
      UNKNOWN_TOPIC_OR_PARTITION,
      UNKNOWN_TOPIC_OR_PARTITION,
    ]);
  });

  it('does not wait for a client that has gone, and leaves nobody listening', async () => {
    const { topic, connection, ask } = setUp();
    let listening = 0;
    for (const { log } of topic.partitions) {
      const subscribe = log.onChange.bind(log);
      log.onChange = (listener) => {
        const unsubscribe = subscribe(listener);
        listening++;
        return () => {
          listening--;
          unsubscribe();
        };
      };
    }
    const waiting = ask();
    expect(listening).toBe(2);
    connection.abort();
    await waiting;
    await ask();
    expect(listening).toBe(0);
  });

  it('fences clients that know another leader', async () => {
    const { topic, ask } = setUp();
    topic.partition(0).moveTo(0);
    topic.partition(0).moveTo(0);
    const errorAt = async (currentLeaderEpoch: number) => {
      const [asked] = requestFor(1).topics[0]?.partitions ?? [];
      if (asked === undefined) throw new Error('no partition is asked for');
      const topics = [{ topic: 'orders', partitions: [{ ...asked, currentLeaderEpoch }] }];
      return (await ask({ topics, maxWaitMs: 0 })).errors;
    };
    expect(await errorAt(1)).toEqual([KafkaErrorCode.FENCED_LEADER_EPOCH]);
    expect(await errorAt(2)).toEqual([KafkaErrorCode.NONE]);
    expect(await errorAt(3)).toEqual([KafkaErrorCode.UNKNOWN_LEADER_EPOCH]);
  });

  it('knows no sessions to go on with', async () => {
    const { ask, write } = setUp();
    write(0);
    const { FETCH_SESSION_ID_NOT_FOUND, NONE } = KafkaErrorCode;
    expect((await ask({ sessionId: 5, sessionEpoch: 1 })).errorCode).toBe(
      FETCH_SESSION_ID_NOT_FOUND,
    );
    expect((await ask({ sessionEpoch: 0 })).errorCode).toBe(NONE);
  });
});
