import { describe, expect, it } from '@jest/globals';

import { EventBatch, InvalidEventError } from '../../../lib/index.js';
import { createEventBatch, FakeEventPublisher } from '../../../lib/testing/index.js';
import { OrderCreated, StockReserved } from '../../support/shop-events.js';

const ORDERS = [{ orderId: 'o-1' }, { orderId: 'o-2' }];

describe('createEventBatch', () => {
  it('is a batch as the engine hands it over, of payloads that were validated', async () => {
    const batch = await createEventBatch(OrderCreated, ORDERS, { partition: 3, offset: 7 });

    expect(batch).toBeInstanceOf(EventBatch);
    expect(batch).toMatchObject({ length: 2, topic: 'orders', partition: 3 });
    expect(batch.payloads).toEqual(ORDERS);
    expect(batch.payloads[0]).toBeInstanceOf(OrderCreated);
    expect(
      [...batch].map(({ index, offset, aggregateId }) => [index, offset, aggregateId]),
    ).toEqual([
      [0, '7', 'o-1'],
      [1, '8', 'o-2'],
    ]);
    expect(batch.item(0).eventId).not.toBe(batch.item(1).eventId);
  });

  it('tells what the handler said of each record', async () => {
    const batch = await createEventBatch(OrderCreated, ORDERS);
    batch.retry(0, new Error('busy'), 5);
    batch.retry(0, 'busy', 7);
    expect(batch.decisionOn(1)).toBeNull();
    batch.deadLetter(1, 'poison');

    expect(batch.decisionOn(0)).toEqual({ kind: 'retry', error: new Error('busy'), delayMs: 7 });
    expect(batch.decisionOn(1)).toEqual({ kind: 'dead-letter', reason: 'poison' });
  });

  it('publishes what its events cause, each under the ids that follow from it', async () => {
    const publisher = new FakeEventPublisher();
    const causing = async (): Promise<readonly string[]> => {
      const batch = await createEventBatch(OrderCreated, ORDERS, { publisher });
      const causes = [...batch].map((item) => item.publish(StockReserved, { sku: 's-1' }));
      await Promise.all(causes);
      return [...batch].map(({ eventId }) => eventId);
    };

    const ids = await causing();

    const caused = await publisher.publishedEvents(StockReserved);
    expect(caused.map(({ causationId }) => causationId)).toEqual(ids);
    expect(new Set(caused.map(({ eventId }) => eventId)).size).toBe(2);
  });

  it('refuses what could not have been published', async () => {
    const wrong = [{ orderId: 'o-1' }, { orderId: '' }];
    await expect(createEventBatch(OrderCreated, wrong)).rejects.toBeInstanceOf(InvalidEventError);
  });
});

describe('a batch refuses', () => {
  it('an index that it has not got, and a delay that is none', async () => {
    const batch = await createEventBatch(OrderCreated, ORDERS);
    const message = /^there is no record (2|-1|0.5) in a batch of 2$/;

    for (const index of [2, -1, 0.5]) {
      expect(() => batch.item(index)).toThrow(message);
      expect(() => {
        batch.settle(index);
      }).toThrow(expect.objectContaining({ code: 'BATCH_DECISION' }));
    }
    expect(() => {
      batch.retry(0, new Error('x'), Number.NaN);
    }).toThrow('a record cannot be retried in NaN ms; give milliseconds, 0 or more');
  });

  it('what is said after its handler has ended', async () => {
    const batch = await createEventBatch(OrderCreated, ORDERS);
    batch.end();

    expect(() => {
      batch.settle(0);
    }).toThrow(
      'Handler.handle has ended: what it says of record 0 comes too late; ' +
        'await all work before the method returns',
    );
  });
});
