import { expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { Payload } from '@nestjs/microservices';
import {
  event,
  EventHandler,
  EventPublisher,
  KafkaEventsHealth,
  KafkaEventsModule,
} from '../../lib/index.js';
import { committedToTheEnd, createEventTopic } from '../support/event-topic.js';
import { bootApp, quickOptions } from '../support/nest-app.js';
import { describeEachKafka } from '../support/each-kafka.js';
import { OrderCreated } from '../support/shop-events.js';
import { uniqueName } from '../support/unique-topic.js';

describeEachKafka('two applications in one process', (brokers) => {
  async function bootShop(groupId: string, topic: string) {
    const handled: string[] = [];
    @Injectable()
    class Orders {
      @EventHandler(OrderCreated)
      handle(@Payload() { orderId }: OrderCreated): void {
        handled.push(orderId);
      }
    }
    const app = await bootApp({
      imports: [KafkaEventsModule.forRoot(quickOptions(brokers, groupId, topic))],
      providers: [Orders],
    });
    return { app, handled, health: app.get(KafkaEventsHealth), publisher: app.get(EventPublisher) };
  }

  async function publish(publisher: EventPublisher, prefix: string): Promise<string[]> {
    const ids = Array.from({ length: 30 }, (_, i) => `${prefix}-${i}`);
    await publisher.publishAll(ids.map((orderId) => event(OrderCreated, { orderId })));
    return ids;
  }

  it('both get every event, and closing one leaves the other running', async () => {
    const topic = await createEventTopic(brokers, 3);
    const [oneGroup, otherGroup] = [uniqueName('group'), uniqueName('group')];
    const one = await bootShop(oneGroup, topic);
    const other = await bootShop(otherGroup, topic);
    const early = [
      ...(await publish(one.publisher, 'by one')),
      ...(await publish(other.publisher, 'by other')),
    ];
    await committedToTheEnd(brokers, oneGroup, topic);
    await committedToTheEnd(brokers, otherGroup, topic);
    expect(one.handled.sort()).toEqual(early.sort());
    expect(other.handled.sort()).toEqual(early);

    await one.app.close();
    expect(other.health.check()).toMatchObject({ status: 'up', ready: true });
    const late = await publish(other.publisher, 'late');
    await committedToTheEnd(brokers, otherGroup, topic);
    expect(other.handled.sort()).toEqual([...early, ...late].sort());
    expect(one.handled).toEqual(early);
    await expect(one.publisher.publish(OrderCreated, { orderId: 'x' })).rejects.toMatchObject({
      code: 'PUBLISHER_CLOSED',
    });
  });

  it('one that was closed can be followed by another in its place', async () => {
    const topic = await createEventTopic(brokers, 3);
    const groupId = uniqueName('group');
    const first = await bootShop(groupId, topic);
    const early = await publish(first.publisher, 'early');
    await committedToTheEnd(brokers, groupId, topic);
    await first.app.close();

    const successor = await bootShop(groupId, topic);
    expect(successor.health.check()).toMatchObject({ status: 'up', ready: true });
    const late = await publish(successor.publisher, 'late');
    await committedToTheEnd(brokers, groupId, topic);
    expect(successor.handled.sort()).toEqual(late.sort());
    expect(first.handled.sort()).toEqual(early.sort());
  });
});
