import { describe, expect, it } from '@jest/globals';
import { Inject, Injectable } from '@nestjs/common';
import { Test } from '@nestjs/testing';

import {
  event,
  EventPublisher,
  InvalidEventError,
  PublishRejectedError,
} from '../../../lib/index.js';
import { FakeEventPublisher } from '../../../lib/testing/index.js';
import { OrderCreated, StockReserved } from '../../support/shop-events.js';

describe('FakeEventPublisher', () => {
  it('answers receipts, and tells in order what was published as consumers would read it', async () => {
    const events = new FakeEventPublisher();

    const order = { orderId: 'o-1' };
    const first = await events.publish(OrderCreated, order, {
      eventId: 'e-1',
      headers: { a: 'b' },
    });
    const [second, third] = await events.publishAll([
      event(OrderCreated, { orderId: 'o-2' }, { correlationId: 'c', causationId: 'e-1' }),
      event(StockReserved, { sku: 's' }),
    ]);

    expect(first).toMatchObject({ eventId: 'e-1', topic: 'orders', partition: 0, offset: '0' });
    expect([second?.offset, third?.offset]).toEqual(['1', '0']);
    const orders = await events.publishedEvents(OrderCreated);
    expect(orders).toMatchObject([
      {
        payload: { orderId: 'o-1' },
        eventId: 'e-1',
        eventType: 'order.created.v1',
        topic: 'orders',
        aggregateId: 'o-1',
        headers: { a: 'b', 'event-id': 'e-1' },
        correlationId: 'e-1',
        causationId: null,
      },
      { payload: { orderId: 'o-2' }, correlationId: 'c', causationId: 'e-1' },
    ]);
    expect(orders[0]?.payload).toBeInstanceOf(OrderCreated);
    expect(await events.publishedEvents(StockReserved)).toHaveLength(1);
  });

  it('refuses what the real one refuses, and keeps none of it', async () => {
    const events = new FakeEventPublisher();
    const invalid = { orderId: 7 } as unknown as { orderId: string };
    await expect(events.publish(OrderCreated, invalid)).rejects.toThrow(InvalidEventError);
    expect(await events.publishedEvents(OrderCreated)).toEqual([]);
  });

  it('fails as many publishes as it is told to, side by side ones too', async () => {
    const events = new FakeEventPublisher();
    events.failNext(2, 'no authority');

    const ends = await Promise.allSettled(
      ['a', 'b', 'c'].map((orderId) => events.publish(OrderCreated, { orderId })),
    );

    expect(ends.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'fulfilled']);
    const reasons = ends.flatMap((end) =>
      end.status === 'rejected' ? [end.reason as unknown] : [],
    );
    expect(reasons[0]).toBeInstanceOf(PublishRejectedError);
    expect(String(reasons[0])).toContain('no authority');
    expect(await events.publishedEvents(OrderCreated)).toMatchObject([
      { payload: { orderId: 'c' } },
    ]);
  });

  it('forgets', async () => {
    const events = new FakeEventPublisher();
    await events.publish(OrderCreated, { orderId: 'o-1' });
    events.failNext();
    events.clear();
    await events.publish(OrderCreated, { orderId: 'o-2' });
    expect(await events.publishedEvents(OrderCreated)).toHaveLength(1);
  });

  it('takes the place of the real one in a testing module', async () => {
    @Injectable()
    class Orders {
      constructor(@Inject(EventPublisher) private readonly events: EventPublisher) {}
      place = (orderId: string) => this.events.publish(OrderCreated, { orderId });
    }
    const testing = await Test.createTestingModule({
      providers: [Orders, { provide: EventPublisher, useClass: FakeEventPublisher }],
    }).compile();

    await testing.get(Orders).place('o-1');

    const events: FakeEventPublisher = testing.get(EventPublisher);
    expect(await events.publishedEvents(OrderCreated)).toHaveLength(1);
  });
});
