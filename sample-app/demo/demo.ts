/**
 * `npm run demo`: a shop on Kafka, a thousand orders, twenty thousand readings of sensors, and everything
 * that goes wrong in a year in half a minute. Exit code 0: every count agrees; 1: one is off; 2: it could not run.
 *
 * `--break-dedup` turns the dedup of one handler off, and `--break-keys` has the ERP ignore idempotency keys, to
 * show that the recount would notice.
 */
import 'reflect-metadata';
import { randomUUID } from 'node:crypto';

import { ErpServer } from '../erp/erp-server.js';
import { BareKafka } from './bare-kafka.js';
import { findBroker, type DemoBroker } from './broker.js';
import { deliveries } from './deliveries.js';
import { demoNames, type DemoNames } from './demo-names.js';
import { recount } from './recount.js';
import { openShop } from './shop-on-kafka.js';
import { StockProcess } from './stock-process.js';
import { tellStory, type Told } from './story.js';
import { isOff, summaryTable, type Row } from './summary.js';
import { seeViews, type ViewsSeen } from './views-seen.js';

const { argv, env } = process;
const breakDedup = argv.includes('--break-dedup') || env.DEMO_BREAK_DEDUP === '1';
const breakKeys = argv.includes('--break-keys');
const verbose = argv.includes('--verbose');

try {
  const rows = await onBroker((broker) => play(broker, demoNames(randomUUID().slice(0, 8))));
  process.exitCode = report(rows);
} catch (error) {
  console.error('The demo could not run:', error instanceof Error ? error.message : error);
  process.exitCode = 2;
}

async function onBroker<T>(use: (broker: DemoBroker) => Promise<T>): Promise<T> {
  const broker = await findBroker();
  try {
    return await use(broker);
  } finally {
    await broker.stop();
  }
}

async function play(broker: DemoBroker, names: DemoNames): Promise<Row[]> {
  const kafka = await BareKafka.connect(broker.brokers);
  try {
    const stock = await StockProcess.start(broker.brokers, names.prefix);
    const erp = await ErpServer.start(0, deliveries(), { honoursKeys: !breakKeys });
    try {
      return await playWith(kafka, broker, { stock, erp }, names);
    } finally {
      await Promise.all([stock.kill(), erp.stop()]);
    }
  } finally {
    await kafka.close();
  }
}

async function playWith(
  kafka: BareKafka,
  { brokers, outage }: DemoBroker,
  { stock, erp }: { stock: StockProcess; erp: ErpServer },
  names: DemoNames,
): Promise<Row[]> {
  const [stockUrl, erpUrl] = [stock.url, erp.url];
  const shop = await openShop({ brokers, names, stockUrl, erpUrl, breakDedup, verbose });
  let told: Told;
  let views: ViewsSeen;
  try {
    told = await tellStory({ kafka, shop, stock, outage, names });
    views = await seeViews(shop, await kafka.positionsOf(names.groupId, names.viewed));
  } finally {
    await shop.close();
  }
  // Else it misses its topics, and says so, when they are removed.
  await stock.kill();
  const rows = await recount(kafka, shop, { names, told, views, erpUrl });
  // What is off is left for you to look at.
  if (!rows.some(isOff)) await kafka.remove(names.groupId, names.topics);
  return rows;
}

function report(rows: readonly Row[]): number {
  console.log(`\n${summaryTable(rows)}\n`);
  const off = rows.filter(isOff);
  for (const { what, expected, counted } of off) {
    console.log(`OFF  ${what}: expected ${expected}, counted ${counted}`);
  }
  if (off.length === 0) console.log(`All ${rows.length} counts agree.`);
  return off.length === 0 ? 0 : 1;
}
