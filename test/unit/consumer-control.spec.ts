import { expect, it } from '@jest/globals';
import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';

import {
  ConsumerControl,
  EventHandler,
  EventPublisher,
  KafkaEventsHealth,
} from '../../lib/index.js';
import { EventSpy } from '../../lib/testing/event-spy.js';
import { KafkaEventsTestingModule } from '../../lib/testing/kafka-events-testing.module.js';
import { TestKafka } from '../../lib/testing/test-kafka.js';
import { onCleanup } from '../support/cleanup.js';
import { OrderCreated } from '../support/shop-events.js';

it('holds a handler of a running application, as health tells, and loses nothing', async () => {
  const seen: string[] = [];
  @Injectable()
  class Orders {
    @EventHandler(OrderCreated)
    created({ orderId }: OrderCreated): void {
      seen.push(orderId);
    }
  }
  const kafka = await TestKafka.start();
  onCleanup(() => kafka.stop());
  @Module({ imports: [KafkaEventsTestingModule.forRoot({ kafka })], providers: [Orders] })
  class Root {}
  const app = await NestFactory.createApplicationContext(Root, { logger: false });
  onCleanup(() => app.close());
  const [control, publisher] = [app.get(ConsumerControl), app.get(EventPublisher)];
  const { handlerId, topic } = { handlerId: 'Orders.created', topic: kafka.nameOf('orders') };
  const check = () => app.get(KafkaEventsHealth).check();

  control.pause({ handlerId });
  control.pause({ topic });
  await publisher.publish(OrderCreated, { orderId: 'o-1' });
  expect(check()).toMatchObject({
    status: 'degraded',
    ready: true,
    live: true,
    problems: [
      expect.stringContaining(`handler "${handlerId}" is paused by an operator for 0 s`),
      expect.stringContaining(`topic "${topic}" is paused by an operator`),
    ],
    counts: { paused: 2 },
  });
  control.resume({ topic });
  expect(seen).toEqual([]);
  control.resume({ handlerId });

  await app.get(EventSpy).handled(OrderCreated);
  expect(seen).toEqual(['o-1']);
  expect(check()).toMatchObject({ status: 'up', problems: [] });
});
