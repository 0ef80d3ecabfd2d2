import type { INestApplicationContext } from '@nestjs/common';
import {
  EventPublisher,
  KafkaEventsHealth,
  MaterialisedViews,
  SyncFallbackClient,
} from 'nestjs-kafka-events';

import {
  CheckoutService,
  STOCK_MAY_BE_MS,
  type PlacedOrder,
} from '../checkout/checkout.service.js';
import { Stock } from '../checkout/stock.client.js';
import { StockView } from '../inventory/stock-view.js';
import type { BareKafka } from './bare-kafka.js';
import type { Outage } from './broker.js';
import { caughtUp } from './caught-up.js';
import { askForTheUnknown, placeEasyOrders, placeOrders, skuOf } from './customers.js';
import type { DemoNames } from './demo-names.js';
import { disturb, sendReadings } from './devices.js';
import { until } from './patience.js';
import { Progress } from './progress.js';
import { OUTAGES, STOCK } from './script.js';
import type { StockProcess } from './stock-process.js';
import { makeTrouble } from './troublemaker.js';

const CATCH_UP_MS = 30_000;

/** What customers were told. */
export interface Told {
  readonly placed: readonly PlacedOrder[];
  /** Orders placed while stock service and broker were away; null where the broker cannot be stopped. */
  readonly inTheDark: readonly PlacedOrder[] | null;
  /** Orders of products that there are not, refused. */
  readonly refused: number;
}

/** All that the story happens to. */
export interface Stage {
  readonly kafka: BareKafka;
  readonly shop: INestApplicationContext;
  readonly stock: StockProcess;
  readonly outage: Outage | null;
  readonly names: DemoNames;
}

export async function tellStory(stage: Stage): Promise<Told> {
  const { kafka, shop, stock, names } = stage;
  const find = { strict: false };
  const checkout = shop.get(CheckoutService, find);
  const events = shop.get(EventPublisher, find);

  // The ERP's deliveries are events by the time it does.
  await stockAnswers(shop);
  await until('stock of all products', () => isDelivered(shop));
  const first = await placeOrders(checkout, new Progress('orders 1/4'));
  const refused = await askForTheUnknown(checkout);
  await trouble(kafka, names, first);

  await stock.kill();
  say('stock', 'service killed: the shop sells by its own copy');
  const second = await placeOrders(checkout, new Progress('orders 2/4'));
  await trouble(kafka, names, second);

  const third = await sellInTheDark(stage, checkout);

  await stock.start();
  await stockAnswers(shop);
  const progress = new Progress('orders 4/4');
  const fourth = await placeEasyOrders(checkout, OUTAGES.ordersAfterwards, progress);

  await sendReadings(events, new Progress('readings'));
  await disturb(kafka, names.telemetry);
  if (!(await caughtUp(kafka, names, new Progress('handled'), CATCH_UP_MS))) {
    say('handled', `not all after ${CATCH_UP_MS / 1_000} s: counting what is there`);
  }
  const placed = [...first, ...second, ...third, ...fourth];
  return { placed, inTheDark: stage.outage && third, refused };
}

/**
 * Takes the broker away, too, and places orders when the shop's copy of the stock has become too old to promise
 * anything. They are accepted when the broker has them.
 */
async function sellInTheDark(
  { kafka, shop, outage, names }: Stage,
  checkout: CheckoutService,
): Promise<readonly PlacedOrder[]> {
  const place = () => placeEasyOrders(checkout, OUTAGES.orders, new Progress('orders 3/4'));
  if (outage === null) return place();
  // What is on its way when a broker goes may be stored twice; this story counts its own duplicates.
  await caughtUp(kafka, names, new Progress('handled'), CATCH_UP_MS);
  await outage.begin();
  say('broker', 'is away');
  const view = shop.get(MaterialisedViews, { strict: false }).of(StockView);
  await until('old stock', () => (view.staleness().ageMs ?? 0) > STOCK_MAY_BE_MS);
  const placing = place();
  await until('orders on their way', () => {
    const { publisher } = shop.get(KafkaEventsHealth, { strict: false }).check();
    return publisher.bufferedEvents === OUTAGES.orders;
  });
  await outage.end();
  say('broker', 'is back');
  return placing;
}

async function isDelivered(shop: INestApplicationContext): Promise<boolean> {
  const find = { strict: false };
  if (!shop.get(KafkaEventsHealth, find).check().ready) return false;
  const view = shop.get(MaterialisedViews, find).of(StockView);
  const rows = await view.list({ limit: STOCK.products });
  return rows.length === STOCK.products;
}

/** Waits until the stock service answers, and the breaker in front of it believes it. */
async function stockAnswers(shop: INestApplicationContext): Promise<void> {
  const find = { strict: false };
  const client = shop.get(SyncFallbackClient, find).service(Stock);
  const health = shop.get(KafkaEventsHealth, find);
  await until('an answer of the stock service', async () => {
    const answer = await client.call('getStock', { sku: skuOf(0) }).catch(() => null);
    const isClosed = health.check().sync.every(({ breaker }) => breaker === 'closed');
    return answer?.source === 'service' && isClosed;
  });
  say('stock', 'service answers');
}

async function trouble(
  kafka: BareKafka,
  names: DemoNames,
  placed: readonly PlacedOrder[],
): Promise<void> {
  await makeTrouble(
    kafka,
    names.orders,
    placed.map(({ orderId }) => orderId),
  );
  say('trouble', 'duplicates, poison and records without an id are in the topic');
}

function say(title: string, what: string): void {
  console.log(`  ${title.padEnd(12)}${what}`);
}
