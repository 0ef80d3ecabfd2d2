import { expect, it } from '@jest/globals';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { WireHeaders } from '../../../lib/kafka/records.js';
import { eventually } from '../../support/eventually.js';
import { driverFor, GroupMember, textRecord } from '../../support/kafka-driver.js';
import { onCleanup } from '../../support/cleanup.js';
import { describeEachKafka } from '../../support/each-kafka.js';
import { createTopic, uniqueName } from '../../support/unique-topic.js';

const run = promisify(execFile);

describeEachKafka('a producer of the kafkajs driver', (brokers) => {
  const driver = driverFor(brokers);

  function producer() {
    const made = driver.producer();
    onCleanup(() => made.close());
    return made;
  }

  /** All records of a topic as another client, librdkafka's kcat, reads them. */
  async function readWithKcat(topic: string, format: string): Promise<string[]> {
    const { stdout } = await run('kcat', [
      ...['-b', brokers.join(','), '-t', topic, '-C', '-e', '-q', '-f', `${format}\n`],
    ]);
    return stdout.split('\n').filter((line) => line !== '');
  }

  const headers: WireHeaders = [
    ['a', Buffer.from('1')],
    ['b', null],
    ['a', Buffer.from('2')],
    ['9', Buffer.from('')],
    ['b', Buffer.from('x')],
    ['a', null],
  ];

  it('writes headers in order, repeated and null ones included', async () => {
    const topic = await createTopic(brokers);
    await producer().send(topic, [textRecord('v', { headers })]);
    expect(await readWithKcat(topic, '%h')).toEqual(['a=1,b=NULL,a=2,9=,b=x,a=NULL']);
  });

  it('reads headers back by name, and what they stand on', async () => {
    const topic = await createTopic(brokers);
    const record = {
      key: Buffer.from([0, 255]),
      value: null,
      headers,
      timestamp: 1_600_000_000_001,
    };
    await producer().send(topic, [record, textRecord('plain')]);
    const member = new GroupMember(driver, { groupId: uniqueName('group'), topics: [topic] });
    await member.start();
    await eventually(() => member.batches.length > 0);
    const [first, second] = member.batches.flatMap(({ records }) => records);
    expect(first).toMatchObject({
      offset: 0n,
      key: record.key,
      value: null,
      timestamp: 1_600_000_000_001,
    });
    const of = (name: string) =>
      first?.headers.filter((header) => header[0] === name).map((header) => header[1]);
    expect(of('a')).toEqual([Buffer.from('1'), Buffer.from('2'), null]);
    expect(of('b')).toEqual([null, Buffer.from('x')]);
    expect(of('9')).toEqual([Buffer.alloc(0)]);
    expect(second).toMatchObject({ offset: 1n, key: null, headers: [] });
  });

  it('answers where each record went, in the order given', async () => {
    const topic = await createTopic(brokers, { partitions: 3 });
    const sending = producer();
    const records = ['a', 'b', 'c', 'd', 'e', 'f'].map((value, i) =>
      textRecord(value, i < 3 ? { partition: 2 - i } : { key: Buffer.from(`key ${value}`) }),
    );
    const positions = [
      ...(await sending.send(topic, records)),
      ...(await sending.send(topic, [
        textRecord('g', { partition: 1 }),
        textRecord('h', { partition: 1 }),
      ])),
    ];
    const read = await readWithKcat(topic, '%s %p %o');
    const answered = positions.map(
      ({ partition, offset }, i) => `${'abcdefgh'.charAt(i)} ${partition} ${String(offset)}`,
    );
    expect(answered.sort()).toEqual(read.sort());
  });

  it('puts keys where the other clients put them', async () => {
    const topic = await createTopic(brokers, { partitions: 7 });
    const keys = Array.from({ length: 40 }, (_, i) => `order-${i * 7919}`);
    const positions = await producer().send(
      topic,
      keys.map((key) => textRecord('x', { key: Buffer.from(key) })),
    );
    const other = await createTopic(brokers, { partitions: 7 });
    const kcat = run('kcat', [
      ...['-b', brokers.join(','), '-t', other, '-P', '-K', ':'],
      ...['-X', 'topic.partitioner=murmur2_random'],
    ]);
    kcat.child.stdin?.end(keys.map((key) => `${key}:x\n`).join(''));
    await kcat;
    const read = new Map(
      (await readWithKcat(other, '%k %p')).map((line) => line.split(' ') as [string, string]),
    );
    expect(keys.map((key) => read.get(key))).toEqual(
      positions.map(({ partition }) => String(partition)),
    );
  });

  it('refuses a topic that is not there, quickly', async () => {
    const patient = driverFor(brokers, { retryInitialDelayMs: 1000 }).producer();
    onCleanup(() => patient.close());
    const startedAt = performance.now();
    await expect(patient.send(uniqueName('missing'), [textRecord('x')])).rejects.toMatchObject({
      name: 'DriverError',
      kind: 'unknown-topic',
    });
    expect(performance.now() - startedAt).toBeLessThan(2000);
  });

  it('refuses a partition that is not there, rather than dropping the record', async () => {
    const topic = await createTopic(brokers, { partitions: 2 });
    const records = [textRecord('x', { partition: 0 }), textRecord('y', { partition: 2 })];
    await expect(producer().send(topic, records)).rejects.toMatchObject({ kind: 'fatal' });
    expect(await readWithKcat(topic, '%s')).toEqual([]);
  });

  it('names a record that is too large for the topic', async () => {
    const topic = await createTopic(brokers, { config: { 'max.message.bytes': '2000' } });
    const noise = Buffer.from(Array.from({ length: 5000 }, () => Math.floor(Math.random() * 256)));
    await expect(
      producer().send(topic, [{ ...textRecord(''), value: noise }]),
    ).rejects.toMatchObject({ kind: 'too-large' });
  });

  it('describes and creates topics one by one', async () => {
    const admin = driver.admin();
    onCleanup(() => admin.close());
    const [first, second, third] = [uniqueName('a'), uniqueName('b'), uniqueName('c')];
    await createTopic(brokers, { name: first, partitions: 2 });
    const config = { 'max.message.bytes': '2000' };
    await admin.createTopics([
      { topic: first, partitions: 9 },
      { topic: second, partitions: 3, config },
    ]);
    expect(await admin.describeTopics([first, third, second])).toEqual([
      { topic: first, partitions: 2, maxMessageBytes: 1_048_588 },
      { topic: second, partitions: 3, maxMessageBytes: 2000 },
    ]);
    await expect(
      admin.createTopics([{ topic: third, partitions: 1, config: { 'no.such': 'x' } }]),
    ).rejects.toMatchObject({ name: 'DriverError', kind: 'fatal' });
  });

  it('closes within its time and is closed then', async () => {
    const topic = await createTopic(brokers);
    const closing = driver.producer();
    await closing.send(topic, [textRecord('x')]);
    await closing.close();
    await expect(closing.send(topic, [textRecord('y')])).rejects.toMatchObject({ kind: 'closed' });

    const unused = driver.producer();
    await unused.close();
    await expect(unused.send(topic, [textRecord('z')])).rejects.toMatchObject({ kind: 'closed' });
  });
});
