import type { INestApplicationContext } from '@nestjs/common';
import { MaterialisedViews } from 'nestjs-kafka-events';

import { StockView, type StockLevel } from '../inventory/stock-view.js';
import { DashboardService, type Dashboard } from '../reporting/dashboard.service.js';
import type { GroupPosition } from './bare-kafka.js';
import { OrdersView } from '../reporting/orders-view.js';

/** What the shop's views show. */
export interface ViewsSeen {
  readonly dashboard: Dashboard;
  readonly stock: ReadonlyMap<string, StockLevel>;
}

/** Looks at the views when they have come as far as the topics. */
export async function seeViews(
  shop: INestApplicationContext,
  ends: readonly GroupPosition[],
): Promise<ViewsSeen> {
  const find = { strict: false };
  const views = shop.get(MaterialisedViews, find);
  const targets = ends
    .filter(({ end }) => end > 0n)
    .map(({ topic, partition, end }) => ({ topic, partition, offset: end - 1n }));
  const stock = new Map<string, StockLevel>();
  await views.of(OrdersView).waitFor(targets, { timeoutMs: 30_000 });
  await views.of(StockView).waitFor(targets, { timeoutMs: 30_000 });
  for await (const { key, value } of views.of(StockView).scan()) stock.set(key, value);
  return { dashboard: await shop.get(DashboardService, find).read(), stock };
}
