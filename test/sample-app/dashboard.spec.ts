import { readFile } from 'node:fs/promises';
import { NestFactory } from '@nestjs/core';
import type { INestApplication } from '@nestjs/common';
import { describe, expect, it } from '@jest/globals';
import { MaterialisedViews } from 'nestjs-kafka-events';
import { EmbeddedKafka } from 'nestjs-kafka-events/testing';

import { DemoModule } from '../../sample-app/demo/demo.module.js';
import { ErpServer } from '../../sample-app/erp/erp-server.js';
import { StockView } from '../../sample-app/inventory/stock-view.js';
import type { Dashboard } from '../../sample-app/reporting/dashboard.service.js';
import { shopOptions } from '../../sample-app/shop.options.js';
import { onCleanup } from '../support/cleanup.js';
import { eventually } from '../support/eventually.js';

/** Above what views are behind on a good day. */
const OLD_MS = 3_000;
/** Nobody listens there. */
const NOBODY = '127.0.0.1:1';

/** A shop whose warehouse has three pieces of one product. */
async function openShop(kafka: EmbeddedKafka): Promise<INestApplication> {
  const erp = await ErpServer.start(0, [{ DELNO: 1, ARTNO: 'sku-1', QTY: 3, TOTAL: 3 }]);
  onCleanup(() => erp.stop());
  const shop = DemoModule.on({
    ...{ clientId: 'shop', brokers: kafka.brokers },
    // So long a broker that is back waits for the members that it remembers, before it lets others in.
    consumer: { groupId: 'shop', sessionTimeoutMs: 6_000 },
    ...{ topics: 'create', idempotency: { store: 'memory' } },
    ...shopOptions({ stockUrl: NOBODY, erpUrl: erp.url }),
  });
  const app = await NestFactory.create(shop, { logger: false });
  onCleanup(() => app.close());
  await app.listen(0, '127.0.0.1');
  return app;
}

async function startKafka(): Promise<EmbeddedKafka> {
  const kafka = await EmbeddedKafka.start();
  onCleanup(() => kafka.stop());
  return kafka;
}

async function delivered(app: INestApplication): Promise<void> {
  const view = app.get(MaterialisedViews).of(StockView);
  await eventually(async () => (await view.get('sku-1')) !== null, {
    timeoutMs: 20_000,
    message: 'the delivery in the view',
  });
}

async function order(app: INestApplication, sku: string, quantity: number): Promise<Response> {
  const body = { sku, quantity, totalCents: 250, paymentToken: 'tok_visa' };
  return fetch(`${await app.getUrl()}/orders`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
}

/** The figures, as soon as they are as wanted. */
function figures(app: INestApplication, areWanted: (of: Dashboard) => boolean): Promise<Dashboard> {
  return eventually(
    async () => {
      const answer = await fetch(`${await app.getUrl()}/dashboard/figures`);
      if (!answer.ok) return null;
      const read = (await answer.json()) as Dashboard;
      return areWanted(read) ? read : null;
    },
    { timeoutMs: 20_000, message: 'the figures of the dashboard' },
  );
}

describe('the shop', () => {
  it('sells by its own copy of the stock while the service is away, and reports what it sold', async () => {
    const app = await openShop(await startKafka());
    await delivered(app);

    const sold = await order(app, 'sku-1', 2);
    expect([sold.status, await sold.json()]).toMatchObject([201, { checkedWith: 'view' }]);
    const { sales, services } = await figures(
      app,
      (of) => of.sales.orders === 1 && of.sales.open === 0,
    );
    expect(sales).toMatchObject({ orders: 1, units: 2, cents: 250, subjectToStock: 0 });
    expect(sales.products).toEqual([{ sku: 'sku-1', orders: 1, units: 2, cents: 250 }]);
    expect(sales.hours).toEqual([expect.objectContaining({ orders: 1 })]);
    expect(services).toContainEqual({ service: 'stock', breaker: 'closed' });

    // The reservation was made, so that there is one left.
    await eventually(async () => (await order(app, 'sku-1', 2)).status === 409, {
      timeoutMs: 20_000,
      message: 'a product that has run out',
    });
    expect((await order(app, 'sku-2', 1)).status).toBe(503);
  });

  it('shows what it knew while Kafka is away, that it gets older, and that Kafka is back', async () => {
    const kafka = await startKafka();
    const app = await openShop(kafka);
    await delivered(app);
    await order(app, 'sku-1', 1);
    await figures(app, ({ sales }) => sales.orders === 1 && sales.open === 0);

    await kafka.stopBroker(0);
    const away = await figures(app, ({ kafka: state }) => state === 'away');
    expect(away.sales.orders).toBe(1);
    expect(away.problems).not.toEqual([]);
    await figures(app, ({ staleness }) => (staleness.ageMs ?? 0) > OLD_MS);

    await kafka.startBroker(0);
    const back = await figures(app, ({ kafka: state, staleness }) => {
      return state === 'up' && (staleness.ageMs ?? Infinity) < OLD_MS;
    });
    expect(back.sales).toEqual(away.sales);
  });
});

describe('its page', () => {
  const PAGE = 'sample-app/reporting/dashboard.html';

  it('is served, needs nobody else, and has a place for everything that it shows', async () => {
    const app = await openShop(await startKafka());
    const served = await fetch(`${await app.getUrl()}/dashboard`);
    const html = await served.text();

    expect(served.headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(html).toBe(await readFile(PAGE, 'utf8'));
    expect(html).not.toMatch(/https?:/);
    const places = [...html.matchAll(/ id="(\w+)"/g)].map(([, id]) => id);
    const shown = [...html.matchAll(/at\('(\w+)'\)/g)].map(([, id]) => id);
    expect(places).toEqual(expect.arrayContaining(shown));
    expect(places).toEqual(expect.arrayContaining(['orders', 'units', 'open', 'subjectToStock']));
  });
});
