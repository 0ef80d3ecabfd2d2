import { describe, expect, it } from '@jest/globals';

import { ConsumerControl } from '../../../lib/consuming/consumer-control.js';
import { EventConsumers } from '../../../lib/consuming/event-consumers.js';
import { systemClock } from '../../../lib/contracts/clock.js';
import { HEADERS } from '../../../lib/contracts/event-headers.js';
import { RecordTroubles } from '../../../lib/observability/record-troubles.js';
import { MemoryIdempotencyStore } from '../../../lib/idempotency/memory-idempotency-store.js';
import { DriverError } from '../../../lib/kafka-events.errors.js';
import type { AdminDriver } from '../../../lib/kafka/driver.js';
import { DEFAULTS } from '../../../lib/options/defaults.js';
import type { KafkaEventsSettings } from '../../../lib/kafka-events.options.js';
import { onCleanup } from '../../support/cleanup.js';
import { anyEvent, handlerOf, startEngine } from '../../support/engine.js';
import { eventually } from '../../support/eventually.js';
import { ManualClock } from '../../support/manual-clock.js';
import { ModelConsumer, ModelPartition } from '../../support/model-kafka.js';
import { append, idOf, settle } from '../../support/engine-events.js';

const Created = anyEvent('order.created');

/** Consumers over a model, whose look at the topics takes as long as the test wants. */
function consumersOver(
  kafka: ModelConsumer,
  admin: AdminDriver,
  other: ModelConsumer = kafka,
): EventConsumers {
  const members = [kafka];
  const settings = {
    topicName: (topic: string) => topic,
    topics: 'verify',
    onUnavailable: 'retry',
    shutdownDrainMs: 50,
    maxBufferedBytes: 1_000_000,
    clock: systemClock,
    producer: { maxRecordBytes: 1_000 },
    retryTopic: DEFAULTS.retryTopic,
    deadLetter: { topicName: (topic: string) => `${topic}.dlq`, onUndeliverable: 'hold' },
    idempotency: { store: new MemoryIdempotencyStore(), onStoreError: 'pause', windowMs: 1_000 },
    missingId: 'derive',
    group: (groupId: string) => ({
      groupId,
      sessionTimeoutMs: 30_000,
      commitIntervalMs: 5,
      maxSpan: 100,
      maxConcurrency: Infinity,
    }),
  } as unknown as KafkaEventsSettings;
  const signals = { emit: () => undefined };
  const parts = {
    settings,
    driver: {
      name: 'model',
      consumer: () => members.pop() ?? other,
      admin: () => admin,
      producer: () => {
        throw new Error('unused');
      },
    },
    sink: { publish: () => Promise.reject(new Error('unused')) },
    sendAside: () => Promise.resolve(),
    signals,
    random: () => 0,
    owner: 'test',
  };
  return new EventConsumers(
    parts,
    new ConsumerControl(systemClock, signals),
    new RecordTroubles(() => 0),
  );
}

/** It has every topic, each with one partition. */
const ADMIN: AdminDriver = {
  describeTopics: (topics) => Promise.resolve(topics.map(found)),
  createTopics: () => Promise.resolve(),
  groupLag: () => Promise.resolve({ members: 0, topics: [] }),
  close: () => Promise.resolve(),
};

const found = (topic: string) => ({ topic, partitions: 1, maxMessageBytes: null });

describe('the boot', () => {
  it('does not wait for a defect to go away', async () => {
    const defect = new TypeError('undefined is not a function');
    const consumers = consumersOver(new ModelConsumer([]), {
      describeTopics: () => Promise.reject(defect),
      createTopics: () => Promise.resolve(),
      groupLag: () => Promise.resolve({ members: 0, topics: [] }),
      close: () => Promise.resolve(),
    });
    const starting = consumers.start([handlerOf('h', [Created], () => undefined)]);
    await expect(starting).rejects.toBe(defect);
  });
});

describe('a group that is left', () => {
  it('shuts the door of direct delivery for no other', async () => {
    const partition = new ModelPartition('orders', 0);
    append(partition, 'e0');
    const [own, other] = [new ModelConsumer([]), new ModelConsumer([partition])];
    const consumers = consumersOver(own, ADMIN, other);
    const direct = { acceptsDirect: true };
    await consumers.start([handlerOf('h', [Created], () => undefined, direct)]);
    let finish: () => void = () => undefined;
    const running = new Promise<void>((resolve) => {
      finish = resolve;
    });
    onCleanup(() => {
      finish();
      return consumers.stop();
    });
    const slow = handlerOf('slow', [Created], () => running, { groupId: 'beside' });
    await consumers.join('beside', [slow], { commits: true });
    other.fetch(partition);
    await settle();

    const leaving = consumers.leave('beside', 10_000);
    await settle();
    const receipt = await consumers.direct.deliver({
      topic: 'orders',
      key: Buffer.from('k'),
      value: Buffer.from('{}'),
      headers: [
        [HEADERS.eventType, Buffer.from('order.created.v1')],
        [HEADERS.eventId, Buffer.from('e1')],
      ],
      timestamp: 0,
    });

    expect(receipt.handlers).toMatchObject([{ handlerId: 'h', outcome: 'handled' }]);
    finish();
    await leaving;
  });
});

describe('shutdown', () => {
  it('starts no consumer when it comes while the boot looks at the topics', async () => {
    const kafka = new ModelConsumer([new ModelPartition('orders', 0)]);
    let answer: () => void = () => undefined;
    const asked = new Promise<void>((resolve) => {
      answer = resolve;
    });
    const consumers = consumersOver(kafka, {
      describeTopics: async (topics) => {
        await asked;
        return topics.map(found);
      },
      createTopics: () => Promise.resolve(),
      groupLag: () => Promise.resolve({ members: 0, topics: [] }),
      close: () => Promise.resolve(),
    });
    const starting = consumers
      .start([handlerOf('h', [Created], () => undefined)])
      .catch(() => undefined);
    await consumers.stop();
    answer();
    await starting;
    await new Promise((resolve) => setTimeout(resolve, 20));
    // Either it never joined, or it left again.
    expect({ owned: kafka.owned.length, stopped: kafka.stopped }).not.toEqual({
      owned: 1,
      stopped: false,
    });
  });

  it('does not wait for a broker that the background start cannot reach', async () => {
    let looks = 0;
    const consumers = consumersOver(new ModelConsumer([]), {
      describeTopics: () =>
        ++looks === 1
          ? Promise.reject(new DriverError('retryable', 'away'))
          : new Promise(() => undefined),
      createTopics: () => Promise.resolve(),
      groupLag: () => Promise.resolve({ members: 0, topics: [] }),
      close: () => Promise.resolve(),
    });
    await consumers.start([handlerOf('h', [Created], () => undefined)]);
    await eventually(() => looks === 2);
    const stopped = consumers.stop().then(() => 'stopped');
    const late = new Promise((resolve) => setTimeout(resolve, 1_000, 'still waiting'));
    expect(await Promise.race([stopped, late])).toBe('stopped');
  });

  it('leaves its claim to a handler that outlives the drain and twice its time', async () => {
    const clock = new ManualClock();
    const store = new MemoryIdempotencyStore({ clock });
    const partition = new ModelPartition('orders', 0);
    partition.append({ value: null });
    append(partition, 'a');
    let end = (): void => undefined;
    const body = () => new Promise<void>((resolve) => (end = resolve));
    const handler = handlerOf('h', [Created], body, { timeoutMs: 100 });
    const engine = await startEngine([partition], [handler], { clock, store });
    const asked: string[] = [];
    const { claim } = store;
    store.claim = (requests) => {
      asked.push(...requests.map(({ key }) => key));
      return claim.call(store, requests);
    };
    // The last commit is waited for meanwhile.
    let commit = (): void => undefined;
    const committed = new Promise<void>((resolve) => (commit = resolve));
    engine.kafka.commit = (items) => committed.then(() => items);
    engine.kafka.fetch(partition);
    await settle();
    const stopped = engine.consumer.stop(10, 1_000);
    await clock.advanceAsync(500);
    expect(engine.count('slotLeaked')).toBe(1);

    const [key = ''] = asked;
    const again = { token: 'other', leaseMs: 1_000, level: 0, retentionMs: 60_000 };
    const statusOf = () => claim.call(store, [{ key, ...again }])[0]?.status;
    expect(statusOf()).toBe('in-progress');
    end();
    commit();
    await stopped;
    await settle();
    expect(statusOf()).toBe('claimed');
  });

  it('starts nothing new when a rebalance comes in between', async () => {
    const partition = new ModelPartition('orders', 0);
    for (let i = 0; i < 50; i++) append(partition, `e${String(i)}`, { key: 'k' });
    const started: string[] = [];
    let finish: () => void = () => undefined;
    const first = new Promise<void>((resolve) => {
      finish = resolve;
    });
    const engine = await startEngine(
      [partition],
      [
        handlerOf('h', [Created], async (payload) => {
          started.push(idOf(payload));
          await (started.length === 1 ? first : new Promise((resolve) => setTimeout(resolve, 5)));
        }),
      ],
    );
    engine.kafka.fetch(partition);
    await eventually(() => started.length === 1);
    const stopping = engine.consumer.stop(200, 50);
    // Another pod of the same rollout leaves: we keep the partition.
    await engine.kafka.rebalance([partition], 10);
    finish();
    await stopping;
    expect(started).toEqual(['e0']);
    expect(engine.count('drainTimedOut')).toBeLessThanOrEqual(1);
  });
});
