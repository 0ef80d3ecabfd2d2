import { describe, expect, it } from '@jest/globals';

import { EventContext, InvalidEventError } from '../../../lib/index.js';
import { createEventContext, FakeEventPublisher } from '../../../lib/testing/index.js';
import { OrderCreated, StockReserved } from '../../support/shop-events.js';

describe('createEventContext', () => {
  it('is the context of a first delivery', async () => {
    const context = await createEventContext(OrderCreated, { orderId: 'o-1' });

    expect(context).toBeInstanceOf(EventContext);
    expect(context.eventId).toMatch(/^[0-9a-f-]{36}$/);
    expect(context).toMatchObject({
      eventType: 'order.created.v1',
      aggregateId: 'o-1',
      correlationId: context.eventId,
      causationId: null,
      topic: 'orders',
      partition: 0,
      offset: '0',
      attempt: 1,
      handlerId: 'Handler.handle',
      source: null,
    });
    expect(context.signal.aborted).toBe(false);
    expect(() => context.deadLetter('broken')).toThrow('broken');
  });

  it('is of what the test says', async () => {
    const happened = new Date('2026-01-02T03:04:05Z');
    const context = await createEventContext(
      OrderCreated,
      { orderId: 'o-1' },
      {
        ...{ eventId: 'e-1', correlationId: 'c-1', causationId: 'e-0', timestamp: happened },
        ...{ attempt: 3, partition: 2, offset: 7, handlerId: 'Stock.reserve' },
        headers: { tenant: 'acme' },
      },
    );

    expect(context).toMatchObject({
      ...{ eventId: 'e-1', correlationId: 'c-1', causationId: 'e-0', timestamp: happened },
      ...{ attempt: 3, partition: 2, offset: '7', handlerId: 'Stock.reserve' },
    });
    expect(context.headers).toContainEqual(['tenant', Buffer.from('acme')]);
  });

  it('publishes what the handler causes, under ids that an attempt repeats', async () => {
    const publisher = new FakeEventPublisher();
    const attempt = async () => {
      const options = { eventId: 'e-1', publisher };
      const context = await createEventContext(OrderCreated, { orderId: 'o-1' }, options);
      await context.publish(StockReserved, { sku: 's' });
    };

    await attempt();
    await attempt();

    const [first, second] = await publisher.publishedEvents(StockReserved);
    expect(first).toMatchObject({
      payload: { sku: 's' },
      correlationId: 'e-1',
      causationId: 'e-1',
    });
    expect(second?.eventId).toBe(first?.eventId);
  });

  it('refuses a payload that no handler would be given', async () => {
    const invalid = { orderId: 7 } as unknown as { orderId: string };
    await expect(createEventContext(OrderCreated, invalid)).rejects.toThrow(InvalidEventError);
  });
});
