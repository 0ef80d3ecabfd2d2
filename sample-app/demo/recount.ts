import type { INestApplicationContext } from '@nestjs/common';

import { PaymentGateway, TEST_TOKENS } from '../billing/payment-gateway.js';
import { StockLedger } from '../inventory/stock-ledger.js';
import type { Booking } from '../erp/erp-server.js';
import { Outbox } from '../notifications/outbox.js';
import { headerOf, type BareKafka, type StoredRecord } from './bare-kafka.js';
import { checkoutRows, viewRows } from './checkout-recount.js';
import { deadLetterRows } from './dead-letters.js';
import type { DemoNames } from './demo-names.js';
import { seeOrders, type OrdersSeen } from './orders-seen.js';
import { inAll, ordersPlaced, STOCK } from './script.js';
import type { Told } from './story.js';
import type { Row } from './summary.js';
import { telemetryRows } from './telemetry-recount.js';
import type { ViewsSeen } from './views-seen.js';

/** What there is to count beside the topics. */
export interface Seen {
  readonly names: DemoNames;
  readonly told: Told;
  readonly views: ViewsSeen;
  readonly erpUrl: string;
}

/**
 * Reads the topics from beginning to end and holds three things against each other: the script, what
 * lies in Kafka, and what happened in the shop. The library's own counters are not asked.
 */
export async function recount(
  kafka: BareKafka,
  shop: INestApplicationContext,
  { names, told, views, erpUrl }: Seen,
): Promise<Row[]> {
  const records = await kafka.readAll(names.topics);
  const of = (...topics: string[]) => records.filter(({ topic }) => topics.includes(topic));
  const seen = seeOrders(of(names.orders));
  return [
    ...topicRows(seen, of(names.orders)),
    ...checkoutRows(seen, told),
    ...effectRows(seen, shop, of(names.stock)),
    ...(await erpRows(seen, erpUrl, of(names.stock))),
    ...viewRows(seen, of(names.stock), views),
    ...deadLetterRows(seen, TEST_TOKENS.down, names.groupId, of(...names.deadLetters)),
    ...telemetryRows(shop, of(names.telemetry), of(names.telemetryDeadLetters)),
    await positionsRow(kafka, names),
  ];
}

function topicRows(seen: OrdersSeen, records: readonly StoredRecord[]): Row[] {
  const good = ordersPlaced() + inAll('withoutId');
  const poison = inAll('brokenJson') + inAll('wrongSchema') + inAll('unknownVersion');
  const duplicates = inAll('duplicates');
  return [
    row('orders: records in the topic', good + duplicates + poison, records.length),
    row('orders: good ones, each once', good, seen.orders.length),
    row('orders: duplicates', duplicates, seen.duplicates),
    row('orders: without an event id', inAll('withoutId'), seen.withoutId),
    row('orders: poison', poison, seen.poison.length),
  ];
}

function effectRows(
  { orders }: OrdersSeen,
  shop: INestApplicationContext,
  stockRecords: readonly StoredRecord[],
): Row[] {
  const find = { strict: false };
  const reserved = shop.get(StockLedger, find).reservations.map(({ orderId }) => orderId);
  const { charges } = shop.get(PaymentGateway, find);
  const charged = charges.map(({ orderId }) => orderId);
  const confirmed = shop.get(Outbox, find).confirmed;
  const announced = stockRecords
    .filter((record) => headerOf(record, 'event-type') === 'stock.reserved.v1')
    .map(({ value }) => orderIdIn(value));

  const all = orders.map(({ orderId }) => orderId);
  const payable = orders.flatMap(({ orderId, paymentToken }) =>
    paymentToken === TEST_TOKENS.down ? [] : [orderId],
  );
  return [
    row('stock: reservations in the ledger', all.length, reserved.length),
    row('stock: orders reserved exactly once', all.length, exactlyOnce(all, reserved)),
    row('stock: reservations in the topic', all.length, announced.length),
    row('stock: StockReserved exactly once', all.length, exactlyOnce(all, announced)),
    row('billing: charges made', payable.length, charged.length),
    row('billing: orders charged exactly once', payable.length, exactlyOnce(payable, charged)),
    row(
      'billing: charged at the third attempt',
      inAll('flakyPayments'),
      charges.filter(({ calls }) => calls === 3).length,
    ),
    row('notifications: orders confirmed once', all.length, exactlyOnce(all, confirmed)),
  ];
}

/** By what the ERP answers to whoever asks. */
async function erpRows(
  { orders }: OrdersSeen,
  erpUrl: string,
  stockRecords: readonly StoredRecord[],
): Promise<Row[]> {
  const answer = await fetch(`${erpUrl}/bookings`);
  const booked = ((await answer.json()) as Booking[]).map(({ ORDNO }) => ORDNO);
  const all = orders.map(({ orderId }) => orderId);
  const received = stockRecords.filter(
    (record) => headerOf(record, 'event-type') === 'stock.received.v1',
  );
  return [
    row('ERP: deliveries that became events', STOCK.products, received.length),
    row('ERP: bookings', all.length, booked.length),
    row('ERP: orders booked exactly once', all.length, exactlyOnce(all, booked)),
  ];
}

async function positionsRow(
  kafka: BareKafka,
  { groupId, orders, stock, telemetry }: DemoNames,
): Promise<Row> {
  const positions = await kafka.positionsOf(groupId, [orders, stock, telemetry]);
  const atEnd = positions.filter(({ committed, end }) => committed === end);
  return row('offsets: partitions committed to the end', positions.length, atEnd.length);
}

function row(what: string, expected: number, counted: number): Row {
  return { what, expected, counted };
}

/** How many of the ids occur in `seen` once and no more. */
function exactlyOnce(ids: readonly string[], seen: readonly string[]): number {
  const times = new Map<string, number>();
  for (const id of seen) times.set(id, (times.get(id) ?? 0) + 1);
  return ids.filter((id) => times.get(id) === 1).length;
}

function orderIdIn(value: Buffer | null): string {
  return (JSON.parse(String(value)) as { orderId: string }).orderId;
}
