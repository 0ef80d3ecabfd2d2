import { describe, expect, it } from '@jest/globals';

import type {
  CommitItem,
  ConsumerConfig,
  ConsumerHooks,
  KafkaDriver,
  TopicSpec,
} from '../../../lib/kafka/driver.js';
import { TappedDriver } from '../../../lib/testing/tapped-driver.js';
import { inRecord, ModelConsumer, ModelPartition } from '../../support/model-kafka.js';
import { ModelTopics } from '../../support/model-producer.js';

/** A driver over models, and what a tap is told of it. */
function tapped(createPartitions: number | null = null) {
  const partition = new ModelPartition('orders', 0);
  const consumer = new ModelConsumer([partition]);
  const topics = new ModelTopics();
  topics.onSend = (send) => {
    send.acknowledge();
  };
  const made = { configs: [] as ConsumerConfig[], specs: [] as TopicSpec[], admins: 0 };
  const refusals: Error[] = [];
  const told: unknown[] = [];
  const inner: KafkaDriver = {
    name: 'model',
    consumer: (config) => {
      made.configs.push(config);
      return consumer;
    },
    producer: topics.producer,
    admin: () => {
      made.admins++;
      return {
        describeTopics: async () => [],
        groupLag: async (groupId) => {
          told.push(['lag', groupId]);
          return { members: 0, topics: [] };
        },
        createTopics: async (specs) => {
          const refusal = refusals.pop();
          if (refusal !== undefined) throw refusal;
          made.specs.push(...specs);
        },
        close: async () => {
          made.admins--;
        },
      };
    },
  };
  const driver = new TappedDriver(inner, {
    tap: {
      fetched: (groupId, { records }) => told.push(['fetched', groupId, records.length]),
      committed: (groupId, items) => told.push(['committed', groupId, items[0]?.offset]),
      sent: (topic, records) => told.push(['sent', topic, records.length]),
    },
    groupName: (groupId) => `run-1-${groupId}`,
    createPartitions,
  });
  return { driver, consumer, partition, topics, told, made, refusals };
}

const CONFIG: ConsumerConfig = {
  groupId: 'shop',
  topics: ['orders'],
  sessionTimeoutMs: 1,
  rebalanceTimeoutMs: 1,
  heartbeatIntervalMs: 1,
  maxBytesPerPartition: 1,
  maxWaitTimeMs: 1,
  metadataMaxAgeMs: 1,
  revokeDrainMs: 1,
};
const RECORD = { key: null, value: null, headers: [], timestamp: 0 };

describe('a tapped driver', () => {
  it('joins under the name on the broker, and tells by the name the engine knows', async () => {
    const { driver, consumer, partition, told, made } = tapped();
    const engine: unknown[] = [];
    const tappedConsumer = driver.consumer(CONFIG);
    await tappedConsumer.start(hooks((hook, ...args) => engine.push([hook, told.length, ...args])));
    partition.append({});
    consumer.fetch(partition);
    const [owned] = consumer.owned;
    const items: CommitItem[] = owned === undefined ? [] : [{ ...owned, offset: 1n }];

    await expect(tappedConsumer.commit(items)).resolves.toEqual(items);
    expect(driver.name).toBe('model');
    expect(made.configs).toEqual([{ ...CONFIG, groupId: 'run-1-shop' }]);
    // Told before the engine, whose signals then find their records.
    expect(engine).toContainEqual(['onRecords', 1, expect.anything()]);
    expect(told).toEqual([
      ['fetched', 'shop', 1],
      ['committed', 'shop', 1n],
    ]);
  });

  it('passes on every word between the engine and the client', async () => {
    const { driver } = tapped();
    const heard: unknown[] = [];
    const given: ConsumerHooks[] = [];
    const client = new Proxy(new ModelConsumer([]), {
      get: (_, method: string) => {
        return (...args: unknown[]) => {
          if (method === 'start') given.push(args[0] as ConsumerHooks);
          else heard.push([method, ...args]);
          return Promise.resolve();
        };
      },
    });
    const inner: KafkaDriver = { ...nothing(driver), consumer: () => client };
    const consumer = new TappedDriver(inner, {
      tap: { fetched: () => undefined, committed: () => undefined, sent: () => undefined },
      groupName: (groupId) => groupId,
      createPartitions: null,
    }).consumer(CONFIG);
    await consumer.start(hooks((...hook) => heard.push(hook)));
    const [passed] = given;
    const batch = { ...AT, epoch: 1, records: [inRecord({})], nextOffset: 1n, highWatermark: 1n };

    consumer.pause(AT);
    consumer.resume(AT);
    consumer.quiesce();
    await consumer.stop(5);
    passed?.onAssigned([{ ...AT, epoch: 1 }], []);
    passed?.onRecords(batch);
    await passed?.onRevoking([], 7);
    passed?.onLost([{ ...AT, epoch: 1 }]);
    passed?.onState('failed', REASON);
    passed?.onMembers(3);
    passed?.onOffsetOutOfRange(AT);
    passed?.onFetchFailed(AT, REASON);
    passed?.onTopicUnavailable('orders', REASON);
    passed?.onTopicAvailable('orders');

    expect(heard).toEqual([
      ['pause', AT],
      ['resume', AT],
      ['quiesce'],
      ['stop', 5],
      ['onAssigned', [{ ...AT, epoch: 1 }], []],
      ['onRecords', batch],
      ['onRevoking', [], 7],
      ['onLost', [{ ...AT, epoch: 1 }]],
      ['onState', 'failed', REASON],
      ['onMembers', 3],
      ['onOffsetOutOfRange', AT],
      ['onFetchFailed', AT, REASON],
      ['onTopicUnavailable', 'orders', REASON],
      ['onTopicAvailable', 'orders'],
    ]);
  });

  it('tells of records once they are acknowledged, and of no other', async () => {
    const { driver, topics, told } = tapped();
    topics.onSend = () => undefined;
    const producer = driver.producer();
    const sending = producer.send('orders', [RECORD, RECORD]);
    await new Promise(setImmediate);
    expect(told).toEqual([]);
    topics.next().acknowledge();
    await expect(sending).resolves.toHaveLength(2);
    expect(told).toEqual([['sent', 'orders', 2]]);

    const refused = driver.producer().send('orders', [RECORD]);
    await new Promise(setImmediate);
    topics.next().fail();
    await expect(refused).rejects.toMatchObject({ code: 'DRIVER' });
    expect(told).toHaveLength(1);
  });

  it('creates a topic before the first record to it, once for all producers', async () => {
    const { driver, topics, made } = tapped(3);
    const sends = [driver.producer(), driver.producer()].map((each) =>
      each.send('stock', [RECORD]),
    );
    expect(topics.sends).toEqual([]);
    await Promise.all(sends);

    expect(made).toMatchObject({ specs: [{ topic: 'stock', partitions: 3 }], admins: 0 });
    expect(topics.sends).toHaveLength(2);
  });

  it('tries again to create a topic that it could not create', async () => {
    const { driver, made, refusals } = tapped(1);
    refusals.push(REASON);
    await expect(driver.producer().send('stock', [RECORD])).rejects.toBe(REASON);
    await expect(driver.producer().send('stock', [RECORD])).resolves.toHaveLength(1);
    expect(made).toMatchObject({ specs: [{ topic: 'stock' }], admins: 0 });
  });

  it('asks for the lag of a group under the name that the broker knows it by', async () => {
    const { driver, told, made } = tapped();
    const admin = driver.admin();
    await admin.groupLag('shop', ['orders']);
    await admin.close();
    expect(told).toEqual([['lag', 'run-1-shop']]);
    expect(made.admins).toBe(0);
  });

  it('creates none where topics are to be there', async () => {
    const { driver, made } = tapped(null);
    await driver.producer().send('stock', [RECORD]);
    expect(made.specs).toEqual([]);
  });
});

const AT = { topic: 'orders', partition: 0 };
const REASON = new Error('the broker is away');

function hooks(heard: (hook: string, ...args: unknown[]) => void): ConsumerHooks {
  return {
    onAssigned: (...args) => {
      heard('onAssigned', ...args);
    },
    onRecords: (...args) => {
      heard('onRecords', ...args);
    },
    onRevoking: async (...args) => {
      heard('onRevoking', ...args);
    },
    onLost: (...args) => {
      heard('onLost', ...args);
    },
    onState: (...args) => {
      heard('onState', ...args);
    },
    onMembers: (...args) => {
      heard('onMembers', ...args);
    },
    onOffsetOutOfRange: (...args) => {
      heard('onOffsetOutOfRange', ...args);
    },
    onFetchFailed: (...args) => {
      heard('onFetchFailed', ...args);
    },
    onTopicUnavailable: (...args) => {
      heard('onTopicUnavailable', ...args);
    },
    onTopicAvailable: (...args) => {
      heard('onTopicAvailable', ...args);
    },
  };
}

function nothing(driver: KafkaDriver): KafkaDriver {
  return {
    name: 'nothing',
    consumer: (config) => driver.consumer(config),
    producer: () => driver.producer(),
    admin: () => driver.admin(),
  };
}
