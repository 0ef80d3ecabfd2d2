import { expect, it } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { Payload } from '@nestjs/microservices';
import { EventHandler, KafkaEventsHealth, KafkaEventsModule } from '../../lib/index.js';
import { committedToTheEnd, createEventTopic, eventRecord } from '../support/event-topic.js';
import { eventually } from '../support/eventually.js';
import { driverFor, produce } from '../support/kafka-driver.js';
import { bootApp, quickOptions } from '../support/nest-app.js';
import { describeEachKafka } from '../support/each-kafka.js';
import { OrderCreated } from '../support/shop-events.js';
import { uniqueName } from '../support/unique-topic.js';

const SESSION_TIMEOUT_MS = 2000;
const WORK_MS = 3 * SESSION_TIMEOUT_MS;

describeEachKafka('a handler that outlives the session timeout', (brokers) => {
  it('keeps its membership, runs once, and holds up no other key', async () => {
    const topic = await createEventTopic(brokers);
    const groupId = uniqueName('group');
    await produce(driverFor(brokers), topic, [
      order('slow'),
      order('b'),
      order('c'),
      // The same event again, in a lane of its own: only the renewed claim keeps it from running.
      order('slow', 'another key'),
    ]);
    const ended: string[] = [];
    const membership: string[] = [];

    @Injectable()
    class Orders {
      @EventHandler(OrderCreated)
      async handle(@Payload() { orderId }: OrderCreated): Promise<void> {
        if (orderId === 'slow') await sleep(WORK_MS);
        ended.push(orderId);
      }
    }
    const options = quickOptions(brokers, groupId, topic, {
      consumer: {
        sessionTimeoutMs: SESSION_TIMEOUT_MS,
        heartbeatIntervalMs: 200,
        revokeDrainMs: 500,
      },
      observers: [
        {
          onConsumerState: ({ state }) => membership.push(state),
          onPartitionAssigned: ({ partition }) => membership.push(`gained ${partition}`),
          onPartitionLost: ({ partition }) => membership.push(`lost ${partition}`),
        },
      ],
    });
    const startedAt = performance.now();
    const app = await bootApp({
      imports: [KafkaEventsModule.forRoot(options)],
      providers: [Orders],
    });
    await eventually(() => ended.length === 2);
    expect(performance.now() - startedAt).toBeLessThan(WORK_MS);
    await committedToTheEnd(brokers, groupId, topic);

    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(WORK_MS);
    expect(ended).toEqual(['b', 'c', 'slow']);
    expect(membership).toEqual(['joining', 'gained 0', 'running']);
    expect(app.get(KafkaEventsHealth).check()).toMatchObject({ status: 'up', ready: true });
  });
});

function order(id: string, key = id) {
  return eventRecord({ id, type: 'order.created.v1', key, payload: { orderId: id } });
}
