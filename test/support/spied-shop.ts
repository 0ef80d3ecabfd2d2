import { expect } from '@jest/globals';
import { Injectable, type ModuleMetadata } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import { Test, type TestingModule } from '@nestjs/testing';

import {
  EventContext,
  EventHandler,
  EventPublisher,
  NonRetryableEventError,
} from '../../lib/index.js';
import { EventSpy } from '../../lib/testing/event-spy.js';
import {
  KafkaEventsTestingModule,
  type KafkaEventsTestingOptions,
} from '../../lib/testing/kafka-events-testing.module.js';
import { onCleanup } from './cleanup.js';
import { OrderCreated, StockReserved } from './shop-events.js';

/** Handles orders as their ids say: `flaky-…` at the third attempt, `poison-…` never. */
@Injectable()
export class SpiedOrders {
  @EventHandler(OrderCreated)
  async reserve(@Payload() { orderId }: OrderCreated, @Ctx() event: EventContext): Promise<void> {
    if (orderId.startsWith('poison')) throw new NonRetryableEventError(`${orderId} is poison`);
    if (orderId.startsWith('flaky') && event.attempt < 3) throw new Error('stock is down');
    await event.publish(StockReserved, { sku: `sku of ${orderId}` });
  }
}

/** Boots an application under test; it is closed after the test or file. */
export async function bootTesting(metadata: ModuleMetadata): Promise<TestingModule> {
  const app = await Test.createTestingModule(metadata).compile();
  onCleanup(() => app.close());
  return app.init();
}

/** A user's test, for any Kafka: nothing in it says which one it runs on. */
export async function spiesOnAShop(options: KafkaEventsTestingOptions): Promise<void> {
  const app = await bootTesting({
    imports: [KafkaEventsTestingModule.forRoot(options)],
    providers: [SpiedOrders],
  });
  const events = app.get(EventPublisher);
  const spy = app.get(EventSpy);
  const isOrder = (id: string) => (order: OrderCreated | null) => order?.orderId === id;

  await events.publish(OrderCreated, { orderId: 'o-1' }, { eventId: 'e-1' });
  await events.publish(OrderCreated, { orderId: 'o-1' }, { eventId: 'e-1' });
  await events.publish(OrderCreated, { orderId: 'flaky-1' });
  await events.publish(OrderCreated, { orderId: 'poison-1' });

  const handled = await spy.handled(OrderCreated, isOrder('o-1'));
  expect(handled.payload).toBeInstanceOf(OrderCreated);
  expect(handled).toMatchObject({
    payload: { orderId: 'o-1' },
    eventId: 'e-1',
    eventType: 'order.created.v1',
    aggregateId: 'o-1',
    headers: { 'event-id': 'e-1' },
    handlerId: 'SpiedOrders.reserve',
    groupId: 'test',
    attempt: 1,
  });
  await expect(spy.duplicate(OrderCreated)).resolves.toMatchObject({ eventId: 'e-1' });
  await expect(spy.published(StockReserved)).resolves.toMatchObject({
    payload: { sku: 'sku of o-1' },
    headers: { 'causation-id': 'e-1' },
  });
  await expect(spy.handled(OrderCreated, isOrder('flaky-1'))).resolves.toMatchObject({
    attempt: 3,
  });
  await expect(spy.deadLettered(OrderCreated)).resolves.toMatchObject({
    payload: { orderId: 'poison-1' },
    reason: 'non-retryable',
    error: { message: 'poison-1 is poison' },
    handlerId: 'SpiedOrders.reserve',
  });

  const inOrder = (await spy.handledEvents(OrderCreated)).map(({ payload }) => payload.orderId);
  expect(inOrder.sort()).toEqual(['flaky-1', 'o-1']);
}
