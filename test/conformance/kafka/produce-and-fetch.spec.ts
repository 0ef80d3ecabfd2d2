import { expect, it } from '@jest/globals';

import { describeEachKafka } from '../../support/each-kafka.js';
import { eventually } from '../../support/eventually.js';
import { uniqueName, type TopicOptions } from '../../support/unique-topic.js';
import { WireClient } from '../../support/wire-client.js';
import { only, WireTopic, type Fetched } from '../../support/wire-topic.js';

describeEachKafka('produce and fetch', (brokers) => {
  const topicOf = (options?: TopicOptions) => WireTopic.create(brokers, options);

  it('gives each batch the next offset and answers the records as they came', async () => {
    const topic = await topicOf();
    expect(await topic.produce(['a', 'b'])).toMatchObject({ errorCode: 0, baseOffset: '0' });
    expect(await topic.produce(['c'], { acks: 1 })).toMatchObject({
      errorCode: 0,
      baseOffset: '2',
    });
    const fetched = await topic.fetch(0);
    expect(fetched).toMatchObject({ errorCode: 0, highWatermark: '3', lastStableOffset: '3' });
    expect(valuesOf(fetched)).toEqual(['0 a', '1 b', '2 c']);
  });

  it('may start before the offset asked for, at the beginning of its batch', async () => {
    const topic = await topicOf();
    await topic.produce(['a', 'b', 'c']);
    expect(valuesOf(await topic.fetch(2))).toContain('2 c');
  });

  it('answers one batch at least, however small the limit', async () => {
    const topic = await topicOf();
    await topic.produce(['x'.repeat(10_000)]);
    await topic.produce(['y']);
    expect(valuesOf(await topic.fetch(0, { maxBytes: 1 }))).toHaveLength(1);
  });

  it('answers nothing at the end, and refuses what lies outside the log', async () => {
    const topic = await topicOf();
    await topic.produce(['a']);
    expect(valuesOf(await topic.fetch(1))).toEqual([]);
    expect((await topic.fetch(2)).errorCode).toBe(1);
    expect((await topic.fetch(-1)).errorCode).toBe(1);
  });

  it('waits for records no longer than it is told', async () => {
    const topic = await topicOf();
    const startedAt = performance.now();
    expect(await topic.fetch(0, { maxWaitTime: 300 })).toMatchObject({
      errorCode: 0,
      messages: [],
    });
    expect(performance.now() - startedAt).toBeGreaterThan(250);
  });

  it('answers a waiting fetch as soon as there is enough', async () => {
    const topic = await topicOf();
    const producer = await WireTopic.connect(brokers, topic.topic);
    const waiting = topic.fetch(0, { maxWaitTime: 20_000 });
    await producer.produce(['a']);
    expect(valuesOf(await waiting)).toEqual(['0 a']);

    const forMore = topic.fetch(1, { maxWaitTime: 20_000, minBytes: 200 });
    await producer.produce(['b']);
    await producer.produce(['x'.repeat(300)]);
    expect(valuesOf(await forMore)).toHaveLength(2);
  });

  it('knows neither topics nor partitions that are not there', async () => {
    const topic = await topicOf();
    expect((await topic.produce(['a'], { partition: 9 })).errorCode).toBe(3);
    expect((await topic.fetch(0, { partition: 9 })).errorCode).toBe(3);
    const nowhere = await WireTopic.connect(brokers, uniqueName('nowhere'));
    expect((await nowhere.produce(['a'])).errorCode).toBe(3);
    expect((await nowhere.fetch(0)).errorCode).toBe(3);
    expect((await nowhere.offsetAt(-1)).errorCode).toBe(3);
  });

  it('refuses a batch beyond the limit of its topic, and acks that mean nothing', async () => {
    const topic = await topicOf({ config: { 'max.message.bytes': '1000' } });
    expect((await topic.produce(['x'.repeat(2_000)])).errorCode).toBe(10);
    expect((await topic.produce(['a'], { acks: 2 })).errorCode).toBe(21);
    expect((await topic.produce(['a'])).baseOffset).toBe('0');
  });

  it('fences fetches by the leader epoch', async () => {
    const topic = await topicOf();
    expect((await topic.fetch(0, { currentLeaderEpoch: 0 })).errorCode).toBe(0);
    expect((await topic.fetch(0, { currentLeaderEpoch: 50 })).errorCode).toBe(75);
  });

  it('finds offsets by time', async () => {
    const topic = await topicOf();
    const t = Date.now() - 10_000;
    await topic.produce(['a'], { timestamp: t });
    await topic.produce(['b'], { timestamp: t + 1_000 });
    await topic.produce(['c'], { timestamp: t + 2_000 });
    expect(await topic.offsetAt(-2)).toMatchObject({ errorCode: 0, offset: '0' });
    expect(await topic.offsetAt(-1)).toMatchObject({ errorCode: 0, offset: '3' });
    expect(await topic.offsetAt(t + 500)).toMatchObject({ offset: '1', timestamp: `${t + 1_000}` });
    expect(await topic.offsetAt(t + 1_000)).toMatchObject({ offset: '1' });
    expect(await topic.offsetAt(t + 60_000)).toMatchObject({ errorCode: 0, offset: '-1' });
  });

  it('deletes records up to an offset', async () => {
    const topic = await topicOf();
    await topic.produce(['a']);
    await topic.produce(['b', 'c']);
    const remove = async (offset: string) => {
      const topics = [{ topic: topic.topic, partitions: [{ partition: 0, offset }] }];
      const answer = await topic.client.send<{
        topics: { partitions: { errorCode: number; lowWatermark: unknown }[] }[];
      }>('DeleteRecords', { topics });
      const { errorCode, lowWatermark } = only(answer.topics[0]?.partitions);
      return { errorCode, lowWatermark: String(lowWatermark) };
    };
    expect(await remove('1')).toEqual({ errorCode: 0, lowWatermark: '1' });
    expect((await topic.fetch(0)).errorCode).toBe(1);
    expect(await topic.offsetAt(-2)).toMatchObject({ offset: '1' });
    expect(valuesOf(await topic.fetch(1))).toEqual(['1 b', '2 c']);
    expect((await remove('9')).errorCode).toBe(1);
    // -1 is the end.
    expect(await remove('-1')).toEqual({ errorCode: 0, lowWatermark: '3' });
  });
});

describeEachKafka('idempotent producers', (brokers) => {
  /** A new cluster may still be looking for who gives out ids. */
  async function newId(client: WireClient): Promise<string> {
    let id = '-1';
    await eventually(async () => {
      const fields = { transactionalId: null, transactionTimeout: 60_000 };
      id = (await client.send<{ producerId: string }>('InitProducerId', fields)).producerId;
      return id !== '-1';
    });
    return id;
  }

  async function producer() {
    const topic = await WireTopic.create(brokers);
    return { topic, producerId: await newId(topic.client) };
  }

  it('are each given an id of their own', async () => {
    const client = await WireClient.connect(brokers);
    expect(await newId(client)).not.toBe(await newId(client));
  });

  it('may repeat a batch, which is kept once and answered with its first offset', async () => {
    const { topic, producerId } = await producer();
    const send = (value: string, firstSequence: number) =>
      topic.produce([value], { producerId, firstSequence });
    expect(await send('a', 0)).toMatchObject({ errorCode: 0, baseOffset: '0' });
    expect(await send('b', 1)).toMatchObject({ errorCode: 0, baseOffset: '1' });
    expect(await send('a', 0)).toMatchObject({ errorCode: 0, baseOffset: '0' });
    expect(await send('c', 2)).toMatchObject({ errorCode: 0, baseOffset: '2' });
    expect(valuesOf(await topic.fetch(0))).toEqual(['0 a', '1 b', '2 c']);
  });

  it('may not leave a gap', async () => {
    const { topic, producerId } = await producer();
    await topic.produce(['a'], { producerId, firstSequence: 0 });
    expect((await topic.produce(['c'], { producerId, firstSequence: 2 })).errorCode).toBe(45);
    expect((await topic.produce(['b'], { producerId, firstSequence: 1 })).errorCode).toBe(0);
  });

  it('are refused under an older epoch', async () => {
    const { topic, producerId } = await producer();
    await topic.produce(['a'], { producerId, producerEpoch: 1, firstSequence: 0 });
    const late = { producerId, producerEpoch: 0, firstSequence: 1 };
    expect((await topic.produce(['b'], late)).errorCode).toBe(47);
    const next = { producerId, producerEpoch: 2, firstSequence: 5 };
    expect((await topic.produce(['b'], next)).errorCode).toBe(45);
    expect((await topic.produce(['b'], { ...next, firstSequence: 0 })).errorCode).toBe(0);
  });
});

function valuesOf({ messages }: Fetched): string[] {
  return messages.map(({ offset, value }) => `${offset} ${value?.toString() ?? ''}`);
}
