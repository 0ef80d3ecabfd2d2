import { availableOf } from '../inventory/stock-view.js';
import { headerOf, type StoredRecord } from './bare-kafka.js';
import type { OrdersSeen } from './orders-seen.js';
import { OUTAGES, STOCK, inAll, ordersPlaced } from './script.js';
import type { Told } from './story.js';
import type { Row } from './summary.js';
import type { ViewsSeen } from './views-seen.js';

/** Holds what customers were told against what lies in the topic. */
export function checkoutRows({ orders }: OrdersSeen, told: Told): Row[] {
  const stored = new Set(orders.map(({ orderId }) => orderId));
  const checked = told.placed.map(({ checkedWith }) => checkedWith);
  const byService = checked.filter((who) => who === 'service').length;
  const answeredBy = inAll('orders') / 2 + OUTAGES.ordersAfterwards;
  const rows = [
    row('checkout: orders promised and kept', ordersPlaced(), keptOf(told.placed, stored)),
    row('checkout: the stock service said yes', answeredBy, byService),
    row(
      'checkout: sold without it while it was away',
      ordersPlaced() - answeredBy,
      checked.length - byService,
    ),
    row('checkout: unknown products refused', OUTAGES.unknownProducts, told.refused),
  ];
  if (told.inTheDark === null) return rows;
  const inTheDark = told.inTheDark.filter(({ checkedWith }) => checkedWith === 'nobody');
  return [
    ...rows,
    row('outage: orders subject to stock', OUTAGES.orders, inTheDark.length),
    row('outage: of those, promised and kept', OUTAGES.orders, keptOf(inTheDark, stored)),
  ];
}

/** Holds the shop's views against the same figures made anew from the topics. */
export function viewRows(
  { orders }: OrdersSeen,
  stockRecords: readonly StoredRecord[],
  { dashboard, stock }: ViewsSeen,
): Row[] {
  const left = new Map<string, number>();
  for (const { sku, soFar } of stockRecords.flatMap(deliveryIn)) left.set(sku, soFar);
  for (const { sku, quantity } of orders) left.set(sku, (left.get(sku) ?? 0) - quantity);
  const right = [...left].filter(([sku, pieces]) => {
    const level = stock.get(sku);
    return level !== undefined && availableOf(level) === pieces;
  });
  const { sales } = dashboard;
  return [
    row('stock view: products with the right level', STOCK.products, right.length),
    row('dashboard: orders', orders.length, sales.orders),
    row(
      'dashboard: turnover in cents',
      sumOf(orders, ({ totalCents }) => totalCents),
      sales.cents,
    ),
    row(
      'dashboard: units, product by product',
      sumOf(orders, ({ quantity }) => quantity),
      sumOf(sales.products, ({ units }) => units),
    ),
    row('dashboard: orders still waiting for stock', 0, sales.open),
  ];
}

function keptOf(
  placed: readonly { readonly orderId: string }[],
  stored: ReadonlySet<string>,
): number {
  return new Set(placed.map(({ orderId }) => orderId).filter((id) => stored.has(id))).size;
}

function deliveryIn(record: StoredRecord): { sku: string; soFar: number }[] {
  if (headerOf(record, 'event-type') !== 'stock.received.v1') return [];
  return [JSON.parse(String(record.value)) as { sku: string; soFar: number }];
}

function sumOf<T>(all: readonly T[], what: (of: T) => number): number {
  return all.reduce((sum, each) => sum + what(each), 0);
}

function row(what: string, expected: number, counted: number): Row {
  return { what, expected, counted };
}
