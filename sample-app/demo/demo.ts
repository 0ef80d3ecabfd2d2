/**
 * `npm run demo`: a shop on Kafka, a thousand orders, twenty thousand readings of sensors, and everything
 * that goes wrong in a year in half a minute. Exit code 0: every count agrees; 1: one is off; 2: it could not run.
 *
 * `--break-dedup` turns the dedup of one handler off, to show that the recount would notice.
 */
import 'reflect-metadata';
import { randomUUID } from 'node:crypto';

import { BareKafka } from './bare-kafka.js';
import { findBroker, type DemoBroker } from './broker.js';
import { demoNames, type DemoNames } from './demo-names.js';
import { recount } from './recount.js';
import { openShop } from './shop-on-kafka.js';
import { StockProcess } from './stock-process.js';
import { tellStory, type Told } from './story.js';
import { isOff, summaryTable, type Row } from './summary.js';
import { seeViews, type ViewsSeen } from './views-seen.js';

const { argv, env } = process;
const breakDedup = argv.includes('--break-dedup') || env.DEMO_BREAK_DEDUP === '1';
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
    try {
      return await playWith(kafka, broker, stock, names);
    } finally {
      await stock.kill();
    }
  } finally {
    await kafka.close();
  }
}

async function playWith(
  kafka: BareKafka,
  { brokers, outage }: DemoBroker,
  stock: StockProcess,
  names: DemoNames,
): Promise<Row[]> {
  const shop = await openShop({ brokers, names, stockUrl: stock.url, breakDedup, verbose });
  let told: Told;
  let views: ViewsSeen;
  try {
    told = await tellStory({ kafka, shop, stock, outage, names });
    views = await seeViews(shop, await kafka.positionsOf(names.groupId, names.viewed));
  } finally {
    await shop.close();
  }
  const rows = await recount(kafka, shop, { names, told, views });
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
