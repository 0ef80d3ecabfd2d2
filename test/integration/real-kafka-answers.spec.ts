import { expect, it } from '@jest/globals';
import { Kafka, logLevel, Partitioners } from 'kafkajs';
import { onCleanup } from '../support/cleanup.js';
import { eventually } from '../support/eventually.js';
import { describeRealKafka, startPrivateBroker } from '../support/real-kafka.js';
import { createTopic, uniqueName, withAdmin } from '../support/unique-topic.js';

describeRealKafka('the broker that integration tests share', (brokers) => {
  it('creates a topic, takes records and hands them out again', async () => {
    const topic = await createTopic(brokers, {
      partitions: 2,
      config: { 'max.message.bytes': '50000' },
    });
    const client = new Kafka({ brokers, logLevel: logLevel.NOTHING });

    const producer = client.producer({ createPartitioner: Partitioners.DefaultPartitioner });
    await producer.connect();
    onCleanup(() => producer.disconnect());
    await producer.send({ topic, messages: [{ key: 'a', value: 'first' }] });
    await expect(
      producer.send({ topic, messages: [{ value: 'x'.repeat(60_000) }] }),
    ).rejects.toThrow('larger than the max');

    const consumer = client.consumer({
      groupId: uniqueName('group'),
      sessionTimeout: 1000,
      heartbeatInterval: 300,
    });
    await consumer.connect();
    onCleanup(() => consumer.disconnect());
    await consumer.subscribe({ topic, fromBeginning: true });
    const values: (string | undefined)[] = [];
    await consumer.run({
      eachMessage: ({ message }) => {
        values.push(message.value?.toString());
        return Promise.resolve();
      },
    });
    await eventually(() => values.length > 0, { message: 'the first record' });
    expect(values).toEqual(['first']);
  });

  it('refuses topics nobody created', async () => {
    const topic = uniqueName('missing');
    const client = new Kafka({ brokers, retry: { retries: 0 }, logLevel: logLevel.NOTHING });
    const producer = client.producer({ createPartitioner: Partitioners.DefaultPartitioner });
    await producer.connect();
    onCleanup(() => producer.disconnect());
    const sent = producer.send({ topic, messages: [{ value: 'lost' }] });
    await expect(sent).rejects.toThrow('does not host this topic-partition');
  });
});

describeRealKafka('a private broker', () => {
  const listTopics = (brokers: string[]) => withAdmin(brokers, (admin) => admin.listTopics());

  it('answers nothing while paused, and keeps its data when restarted or killed', async () => {
    const broker = await startPrivateBroker();
    const topic = await createTopic(broker.brokers);

    broker.pause();
    let answered = false;
    const listed = listTopics(broker.brokers).then((topics) => {
      answered = true;
      return topics;
    });
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(answered).toBe(false);
    broker.resume();
    expect(await listed).toContain(topic);

    for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
      const before = broker.pid;
      await broker.restart(signal);
      expect(broker.pid).not.toBe(before);
      expect(await listTopics(broker.brokers)).toContain(topic);
    }
  });

  it('lets in over TLS only who knows the password', async () => {
    const { secure } = await startPrivateBroker({ secure: true });
    if (secure === undefined) throw new Error('There is no secure listener');
    const connect = async (password: string) => {
      const { brokers, ca, mechanism, username } = secure;
      const admin = new Kafka({
        brokers,
        ssl: { ca },
        sasl: { mechanism, username, password },
        retry: { retries: 0 },
        logLevel: logLevel.NOTHING,
      }).admin();
      onCleanup(() => admin.disconnect());
      await admin.connect();
      return admin.listTopics();
    };
    await expect(connect(secure.password)).resolves.toEqual([]);
    await expect(connect('wrong')).rejects.toThrow('invalid credentials');
  });
});
