import { expect, it } from '@jest/globals';
import { Injectable, type Type } from '@nestjs/common';
import { Payload } from '@nestjs/microservices';
import {
  DriverError,
  EventHandler,
  EventPublisher,
  KafkaEventsHealth,
  KafkaEventsModule,
  MissingTopicsError,
  type KafkaEventsModuleOptions,
} from '../../lib/index.js';
import { onCleanup } from '../support/cleanup.js';
import { committedToTheEnd, createEventTopic, endOffsets } from '../support/event-topic.js';
import { bootApp, quickOptions } from '../support/nest-app.js';
import { describeEachKafka } from '../support/each-kafka.js';
import { describeRealKafka, startPrivateBroker } from '../support/real-kafka.js';
import { OrderCreated } from '../support/shop-events.js';
import { createTopic, uniqueName, withAdmin } from '../support/unique-topic.js';

function ordersInto(handled: string[]): Type {
  @Injectable()
  class Orders {
    @EventHandler(OrderCreated)
    handle(@Payload() { orderId }: OrderCreated): void {
      handled.push(orderId);
    }
  }
  return Orders;
}

function boot(options: KafkaEventsModuleOptions, handled: string[] = []) {
  return bootApp({
    imports: [KafkaEventsModule.forRoot(options)],
    providers: [ordersInto(handled)],
  });
}

async function failureOf(booting: Promise<unknown>): Promise<unknown> {
  return booting.then(
    () => new Error('it booted'),
    (error: unknown) => error,
  );
}

describeRealKafka('a boot while the broker is away', () => {
  it('succeeds unready, and handles once the broker is there', async () => {
    const broker = await startPrivateBroker();
    const topic = await createEventTopic(broker.brokers);
    await broker.shutDown();
    const groupId = uniqueName('group');
    const handled: string[] = [];
    const app = await boot(
      quickOptions(broker.brokers, groupId, topic, { connectionTimeoutMs: 1000 }),
      handled,
    );
    const health = app.get(KafkaEventsHealth);
    expect(health.check()).toMatchObject({ live: true, ready: false, status: 'down' });
    expect(health.check().problems.join()).toMatch(/consumers not started: .*ECONNREFUSED/);

    // Accepted before there is a broker to accept it.
    const publishing = app.get(EventPublisher).publish(OrderCreated, { orderId: 'early' });
    await broker.boot();
    await expect(publishing).resolves.toMatchObject({ topic, offset: '0' });
    await health.whenReady({ timeoutMs: 40_000 });
    expect(health.check()).toMatchObject({ status: 'up', problems: [] });
    await committedToTheEnd(broker.brokers, groupId, topic);
    expect(handled).toEqual(['early']);
  }, 60_000);

  it("fails with a named error where onUnavailable is 'fail'", async () => {
    // A port of the range that nobody is given: nothing listens there.
    const options = quickOptions(['127.0.0.1:1'], 'any-group', 'any-topic', {
      onUnavailable: 'fail',
      connectionTimeoutMs: 1000,
    });
    const error = await failureOf(boot(options));
    expect(error).toBeInstanceOf(DriverError);
    expect(error).toMatchObject({ code: 'DRIVER', kind: 'retryable', retryable: true });
    expect(String(error)).toContain('127.0.0.1:1');
  });
});

describeEachKafka('a boot with topics missing', (brokers) => {
  it('fails, naming them and the commands that create them', async () => {
    const topic = uniqueName('events');
    const error = await failureOf(boot(quickOptions(brokers, uniqueName('group'), topic)));
    expect(error).toBeInstanceOf(MissingTopicsError);
    expect(error).toMatchObject({ topics: [topic, `${topic}.dlq`] });
    expect(String(error)).toContain(
      `kafka-topics.sh --bootstrap-server … --create --topic ${topic} --partitions 6`,
    );
    expect(String(error)).toContain(
      `--create --topic ${topic}.dlq --partitions 6 --config max.message.bytes=1114112`,
    );
  });

  it('fails where a dead-letter topic could not hold a large record', async () => {
    const topic = await createTopic(brokers, { name: uniqueName('events') });
    await createTopic(brokers, { name: `${topic}.dlq` });
    const error = await failureOf(boot(quickOptions(brokers, uniqueName('group'), topic)));
    expect(error).toMatchObject({ code: 'MISSING_TOPICS', topics: [`${topic}.dlq`] });
    expect(String(error)).toContain(
      `--alter --topic ${topic}.dlq --add-config max.message.bytes=1114112`,
    );
  });

  it("creates them where topics is 'create'", async () => {
    const topic = uniqueName('events');
    onCleanup(() =>
      withAdmin(brokers, (admin) => admin.deleteTopics({ topics: [topic, `${topic}.dlq`] })),
    );
    const groupId = uniqueName('group');
    const handled: string[] = [];
    const app = await boot(
      quickOptions(brokers, groupId, topic, { topics: 'create', createPartitions: 4 }),
      handled,
    );
    await app.get(EventPublisher).publish(OrderCreated, { orderId: 'first' });
    await committedToTheEnd(brokers, groupId, topic);
    expect(handled).toEqual(['first']);
    expect(await endOffsets(brokers, topic)).toHaveLength(4);
    expect(await endOffsets(brokers, `${topic}.dlq`)).toHaveLength(4);
  });
});

describeEachKafka('a service that only publishes', (brokers) => {
  it('publishes with consume: false and never joins a group', async () => {
    const topic = await createEventTopic(brokers);
    const groupId = uniqueName('group');
    const handled: string[] = [];
    const app = await boot(quickOptions(brokers, groupId, topic, { consume: false }), handled);
    await app.get(EventPublisher).publish(OrderCreated, { orderId: 'published' });
    expect(app.get(KafkaEventsHealth).check()).toMatchObject({ status: 'up', ready: true });
    await app.close();

    expect(await endOffsets(brokers, topic)).toEqual([1]);
    expect(handled).toEqual([]);
    const { groups } = await withAdmin(brokers, (admin) => admin.listGroups());
    expect(groups.map((group) => group.groupId)).not.toContain(groupId);
  });
});
