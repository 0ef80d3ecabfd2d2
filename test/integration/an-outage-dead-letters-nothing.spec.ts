import { expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import { IsInt, IsString } from 'class-validator';

import {
  DomainEvent,
  event,
  EventContext,
  EventHandler,
  EventPublisher,
  KafkaEventsHealth,
  KafkaEventsModule,
} from '../../lib/index.js';
import { describeEachKafka } from '../support/each-kafka.js';
import { committedToTheEnd, createEventTopic } from '../support/event-topic.js';
import { eventually } from '../support/eventually.js';
import { bootApp, quickOptions } from '../support/nest-app.js';
import { uniqueName } from '../support/unique-topic.js';

@DomainEvent({ type: 'order.paid', version: 1, topic: 'orders', key: 'orderId' })
class OrderPaid {
  @IsString() orderId!: string;
  @IsInt() step!: number;
}

const KEYS = 40;
const STEPS = 25;

describeEachKafka('an outage of what a handler depends on', (brokers) => {
  it('holds its events in order, dead-letters none, and all are handled when it is over', async () => {
    const topic = await createEventTopic(brokers, 6);
    const groupId = uniqueName('group');
    const database = { away: false, failed: 0 };
    const steps = new Map<string, number[]>();
    const told: string[] = [];

    @Injectable()
    class Orders {
      @EventHandler(OrderPaid)
      async handle(
        @Payload() { orderId, step }: OrderPaid,
        @Ctx() _event: EventContext,
      ): Promise<void> {
        await Promise.resolve();
        if (database.away) {
          database.failed++;
          throw new Error('the database is away');
        }
        steps.set(orderId, [...(steps.get(orderId) ?? []), step]);
      }
    }
    const options = quickOptions(brokers, groupId, topic, {
      observers: [
        { onOutageBegan: () => told.push('began'), onOutageEnded: () => told.push('ended') },
        { onDeadLettered: () => told.push('dead-lettered') },
      ],
    });
    const app = await bootApp({
      imports: [KafkaEventsModule.forRoot(options)],
      providers: [Orders],
    });
    const [events, health] = [app.get(EventPublisher), app.get(KafkaEventsHealth)];
    const publish = async (from: number, to: number): Promise<void> => {
      for (let step = from; step < to; step++) {
        const round = Array.from({ length: KEYS }, (_, key) =>
          event(OrderPaid, { orderId: `order-${String(key)}`, step }),
        );
        await events.publishAll(round);
      }
    };
    await publish(0, 5);
    await eventually(() => [...steps.values()].flat().length === 5 * KEYS);

    database.away = true;
    await publish(5, STEPS);
    await eventually(() => told.includes('began'));
    const { status, problems } = health.check();
    expect(status).toBe('degraded');
    expect(problems.join()).toContain('holds Orders.handle');
    // Until probes are all that is tried: the failures of an outage do not grow with what waits.
    const failedAtFirst = database.failed;
    await eventually(() => database.failed >= failedAtFirst + 2);
    expect(database.failed).toBeLessThan(5 * KEYS);
    database.away = false;

    await committedToTheEnd(brokers, groupId, topic);
    expect(told).toEqual(['began', 'ended']);
    expect(steps.size).toBe(KEYS);
    for (const seen of steps.values()) {
      expect(seen).toEqual(Array.from({ length: STEPS }, (_, step) => step));
    }
    expect(health.check().status).toBe('up');
  }, 60_000);
});
