import { expect, it } from '@jest/globals';
import { Injectable, type Type } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import {
  EventContext,
  EventHandler,
  KafkaEventsModule,
  MissingTopicsError,
  type IdempotencyStore,
  type KafkaEventsModuleOptions,
} from '../../lib/index.js';
import { MemoryIdempotencyStore } from '../../lib/idempotency/memory-idempotency-store.js';
import type { OutRecord, WireHeaders } from '../../lib/kafka/records.js';
import { describeEachKafka } from '../support/each-kafka.js';
import {
  committedToTheEnd,
  createEventTopic,
  createSetAsideTopic,
  eventRecord,
} from '../support/event-topic.js';
import { eventually } from '../support/eventually.js';
import { driverFor, produce } from '../support/kafka-driver.js';
import { headerOf, readWithKcat } from '../support/kcat.js';
import { bootApp, quickOptions } from '../support/nest-app.js';
import { OrderCreated } from '../support/shop-events.js';
import { uniqueName, withAdmin } from '../support/unique-topic.js';

const ONCE = { attempts: 1 };

/** One call of a handler. */
interface Call {
  readonly eventId: string;
  readonly attempt: number;
  readonly at: number;
  readonly position: string;
}

describeEachKafka('a handler with a retry topic', (brokers) => {
  const driver = driverFor(brokers);

  /** A topic with its dead-letter topic and the retry topic of a group. */
  async function createTopics() {
    const topic = await createEventTopic(brokers);
    const groupId = uniqueName('group');
    const retryTopic = await createSetAsideTopic(brokers, `${topic}.${groupId}.retry`);
    return { topic, groupId, retryTopic };
  }

  function boot(
    handler: Type,
    { topic, groupId }: { readonly topic: string; readonly groupId: string },
    options?: KafkaEventsModuleOptions,
  ) {
    const ours = quickOptions(brokers, groupId, topic, options);
    return bootApp({ imports: [KafkaEventsModule.forRoot(ours)], providers: [handler] });
  }

  /** A handler that fails for some events, so often; and what it was called with. */
  function ordersThatFail(failures: Readonly<Record<string, number>>, delaysMs: readonly number[]) {
    const calls: Call[] = [];
    const left = new Map(Object.entries(failures));
    @Injectable()
    class Orders {
      @EventHandler(OrderCreated, { id: 'orders', retry: ONCE, retryTopic: { delaysMs } })
      handle(@Payload() { orderId }: OrderCreated, @Ctx() event: EventContext): void {
        const { eventId, attempt, topic, partition, offset } = event;
        const position = `${topic}[${String(partition)}]@${offset}`;
        calls.push({ eventId, attempt, at: Date.now(), position });
        const failing = left.get(eventId) ?? 0;
        if (failing === 0) return;
        left.set(eventId, failing - 1);
        throw new Error(`${orderId}: not today`);
      }
    }
    return { Orders, calls, idsOf: () => calls.map(({ eventId }) => eventId) };
  }

  it('goes on with the key, tries again when it is due and not before, and gives up in the end', async () => {
    const topics = await createTopics();
    const { topic, groupId, retryTopic } = topics;
    const { Orders, calls, idsOf } = ordersThatFail({ saved: 1, lost: 9 }, [1_000, 1_500]);
    const tag: WireHeaders = [['tag', Buffer.from('x')]];
    await produce(driver, topic, [
      order('first'),
      withHeaders(order('lost'), tag),
      order('saved'),
      order('last'),
    ]);
    await boot(Orders, topics);
    await committedToTheEnd(brokers, groupId, topic);
    expect(idsOf()).toEqual(['first', 'lost', 'saved', 'last']);
    await eventually(() => calls.length === 7, { timeoutMs: 20_000 });
    await committedToTheEnd(brokers, groupId, retryTopic);

    expect(calls.filter(({ eventId }) => eventId === 'saved')).toMatchObject([
      { attempt: 1, position: `${topic}[0]@2` },
      { attempt: 2, position: `${topic}[0]@2` },
    ]);
    const lost = calls.filter(({ eventId }) => eventId === 'lost');
    expect(lost.map(({ attempt }) => attempt)).toEqual([1, 2, 3]);
    const [first = 0, second = 0, third = 0] = lost.map(({ at }) => at);
    expect(second - first).toBeGreaterThanOrEqual(1_000);
    expect(third - second).toBeGreaterThanOrEqual(1_500);
    const [letter, ...others] = await readWithKcat(brokers, `${topic}.dlq`);
    expect(others).toEqual([]);
    const original = (await readWithKcat(brokers, topic))[1];
    expect(letter).toMatchObject({ key: original?.key, value: original?.value });
    expect(letter?.headers.slice(0, original?.headers.length)).toEqual(original?.headers);
    expect(Object.fromEntries(letter?.headers ?? [])).toMatchObject({
      ...{ 'dlq-original-topic': topic, 'dlq-original-offset': '1', 'dlq-attempts': '3' },
      ...{ 'dlq-reason': 'retries-exhausted', 'dlq-handler': 'orders', tag: 'x' },
    });
    const parked = await readWithKcat(brokers, retryTopic);
    expect(parked).toHaveLength(3);
    expect(new Set(parked.map(({ headers }) => headers.length)).size).toBe(2);
  });

  it('goes on after a restart where it was, without doing again what is done', async () => {
    const topics = await createTopics();
    const { topic, groupId, retryTopic } = topics;
    const store = lasting(new MemoryIdempotencyStore());
    const { Orders, calls, idsOf } = ordersThatFail({ late: 1 }, [4_000]);
    await produce(driver, topic, [order('late'), order('other')]);
    const app = await boot(Orders, topics, { idempotency: { store } });
    await committedToTheEnd(brokers, groupId, topic);
    await app.close();
    expect(idsOf()).toEqual(['late', 'other']);

    await boot(Orders, topics, { idempotency: { store } });
    await eventually(() => calls.length === 3, { timeoutMs: 20_000 });
    await committedToTheEnd(brokers, groupId, retryTopic);
    expect(calls[2]).toMatchObject({ eventId: 'late', attempt: 2 });
    expect((calls[2]?.at ?? 0) - (calls[0]?.at ?? 0)).toBeGreaterThanOrEqual(4_000);
  });

  it('takes nobody’s word for it: retry-* headers of others pass through as they are', async () => {
    const topics = await createTopics();
    const { topic, groupId, retryTopic } = topics;
    const { Orders, idsOf } = ordersThatFail({ forged: 9 }, [50]);
    const theirs: WireHeaders = [
      ['retry-original-topic', Buffer.from('bank')],
      ['retry-handler', Buffer.from('transfer')],
      ['retry-due-at', Buffer.from('0')],
    ];
    await produce(driver, topic, [withHeaders(order('forged'), theirs)]);
    await produce(driver, retryTopic, [withHeaders(order('smuggled'), theirs)]);
    await boot(Orders, topics);
    await committedToTheEnd(brokers, groupId, topic);
    const letters = await eventually(
      async () => {
        const found = await readWithKcat(brokers, `${topic}.dlq`);
        return found.length === 2 && found;
      },
      { timeoutMs: 20_000 },
    );
    expect(idsOf()).toEqual(['forged', 'forged']);
    const forged = letters.find((letter) => headerOf(letter, 'event-id') === 'forged');
    const [original] = await readWithKcat(brokers, topic);
    expect(forged?.headers.slice(0, original?.headers.length)).toEqual(original?.headers);
    const smuggled = letters.find((letter) => headerOf(letter, 'event-id') === 'smuggled');
    expect(Object.fromEntries(smuggled?.headers ?? [])).toMatchObject({
      'dlq-reason': 'undecodable',
      'dlq-original-topic': retryTopic,
    });
  });

  it('needs its retry topic, which the boot names or makes', async () => {
    const topic = await createEventTopic(brokers);
    const groupId = uniqueName('group');
    const { Orders } = ordersThatFail({}, [50]);
    const error: unknown = await boot(Orders, { topic, groupId }).catch(
      (thrown: unknown) => thrown,
    );
    expect(error).toBeInstanceOf(MissingTopicsError);
    expect((error as MissingTopicsError).topics).toEqual([`${topic}.${groupId}.retry`]);
    await boot(Orders, { topic, groupId }, { topics: 'create', createPartitions: 2 });
    await withAdmin(brokers, async (admin) => {
      const retryTopic = `${topic}.${groupId}.retry`;
      const { topics } = await admin.fetchTopicMetadata({ topics: [retryTopic] });
      expect(topics[0]?.partitions).toHaveLength(2);
      await admin.deleteTopics({ topics: [retryTopic] });
    });
  });
});

function order(id: string): OutRecord {
  return eventRecord({ id, type: 'order.created.v1', key: 'one', payload: { orderId: id } });
}

function withHeaders(record: OutRecord, headers: WireHeaders): OutRecord {
  return { ...record, headers: [...record.headers, ...headers] };
}

/** A store that outlives the applications that use it. */
function lasting(store: MemoryIdempotencyStore): IdempotencyStore {
  return {
    name: 'lasting',
    inProcess: true,
    claim: (requests) => store.claim(requests),
    complete: (completions) => store.complete(completions),
    release: (releases) => {
      store.release(releases);
    },
    renew: (renewals) => store.renew(renewals),
  };
}
