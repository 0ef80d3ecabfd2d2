import { describe, expect, it } from '@jest/globals';

import { anyEvent, handlerOf, startEngine } from '../../support/engine.js';
import { ModelPartition } from '../../support/model-kafka.js';
import { append, idOf, settle } from '../../support/engine-events.js';

const Created = anyEvent('order.created', 'orders');
const Paid = anyEvent('payment.paid', 'payments');
const Shipped = anyEvent('parcel.shipped', 'parcels');
const PAID = { type: Paid.eventType };
const SHIPPED = { type: Shipped.eventType };

describe('fairness between the events of one handler', () => {
  it('runs an event of one topic while another topic has an endless backlog', async () => {
    const payments = new ModelPartition('payments', 0);
    const orders = new ModelPartition('orders', 0);
    append(orders, 'order');
    let handled = 0;
    const seen = { order: false };
    const handler = handlerOf(
      'h',
      [Paid, Created],
      async (payload) => {
        await new Promise((resolve) => setImmediate(resolve));
        if (idOf(payload) === 'order') seen.order = true;
        else handled++;
      },
      { concurrency: 2 },
    );
    const engine = await startEngine([payments, orders], [handler]);
    for (let i = 0; i < 100; i++) append(payments, `p${String(i)}`, PAID);
    engine.kafka.fetch(payments);
    engine.kafka.fetch(orders);
    for (let i = 100; i < 2_000 && !seen.order; i++) {
      // Always about a hundred payments in the queue.
      append(payments, `p${String(i)}`, PAID);
      engine.kafka.fetch(payments);
      while (handled < i - 100) await settle(1);
    }
    expect(seen.order).toBe(true);
  }, 30_000);

  it('runs an event that two busy handlers share', async () => {
    const orders = new ModelPartition('orders', 0);
    const payments = new ModelPartition('payments', 0);
    const parcels = new ModelPartition('parcels', 0);
    append(orders, 'order');
    const seen = { order: false };
    let paid = 0;
    let shipped = 0;
    const turn = (n: number): Promise<void> => settle(n);
    const a = handlerOf(
      'a',
      [Created, Paid],
      async (payload) => {
        await turn(2);
        if (idOf(payload) === 'order') seen.order = true;
        else paid++;
      },
      { concurrency: 1 },
    );
    const b = handlerOf(
      'b',
      [Created, Shipped],
      async (payload) => {
        await turn(3);
        if (idOf(payload) !== 'order') shipped++;
      },
      { concurrency: 1 },
    );
    const engine = await startEngine([payments, parcels, orders], [a, b]);
    for (let i = 0; i < 3_000; i++) {
      append(payments, `p${String(i)}`, PAID);
      append(parcels, `s${String(i)}`, SHIPPED);
    }
    engine.kafka.fetch(payments);
    engine.kafka.fetch(parcels);
    await settle(3);
    engine.kafka.fetch(orders);
    while (!seen.order && paid + shipped < 1_000) await settle(2);
    expect({ ...seen, paid, shipped }).toMatchObject({ order: true });
  }, 30_000);
});
