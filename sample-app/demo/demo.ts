/**
 * `npm run demo`: a shop on Kafka, a thousand orders, twenty thousand readings of sensors, and everything
 * that goes wrong in a year in a few seconds. Exit code 0: every count agrees; 1: one is off; 2: it could not run.
 *
 * `--break-dedup` turns the dedup of one handler off, to show that the recount would notice.
 */
import 'reflect-metadata';
import { randomUUID } from 'node:crypto';
import type { INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { EventPublisher } from 'nestjs-kafka-events';

import { OrdersService } from '../orders/orders.service.js';
import { BareKafka } from './bare-kafka.js';
import { findBroker } from './broker.js';
import { caughtUp } from './caught-up.js';
import { placeOrders } from './customers.js';
import { disturb, sendReadings } from './devices.js';
import { DemoModule } from './demo.module.js';
import { demoNames, type DemoNames } from './demo-names.js';
import { Progress } from './progress.js';
import { recount } from './recount.js';
import { HALVES } from './script.js';
import { isOff, summaryTable, type Row } from './summary.js';
import { makeTrouble } from './troublemaker.js';

const CATCH_UP_MS = 30_000;

const { argv, env } = process;
const breakDedup = argv.includes('--break-dedup') || env.DEMO_BREAK_DEDUP === '1';

try {
  const rows = await onBroker((brokers) => play(brokers, demoNames(randomUUID().slice(0, 8))));
  process.exitCode = report(rows);
} catch (error) {
  console.error('The demo could not run:', error instanceof Error ? error.message : error);
  process.exitCode = 2;
}

async function onBroker<T>(use: (brokers: string[]) => Promise<T>): Promise<T> {
  const broker = await findBroker();
  try {
    return await use(broker.brokers);
  } finally {
    await broker.stop();
  }
}

async function play(brokers: string[], names: DemoNames): Promise<Row[]> {
  const kafka = await BareKafka.connect(brokers);
  try {
    const shop = await openShop(brokers, names);
    try {
      await tellStory(kafka, shop, names);
    } finally {
      await shop.close();
    }
    const rows = await recount(kafka, shop, names);
    // What is off is left for you to look at.
    if (!rows.some(isOff)) await kafka.remove(names.groupId, names.topics);
    return rows;
  } finally {
    await kafka.close();
  }
}

function openShop(brokers: string[], names: DemoNames): Promise<INestApplicationContext> {
  const shop = DemoModule.on({
    clientId: 'shop',
    brokers,
    consumer: { groupId: names.groupId },
    topicName: (topic) => names.prefix + topic,
    topics: 'create',
    onUnavailable: 'fail',
    idempotency: { store: 'memory' },
    handlers: breakDedup ? { 'InventoryHandlers.reserveStock': { idempotency: false } } : {},
  });
  // Its warnings name every failed attempt, and the story is full of them.
  return NestFactory.createApplicationContext(shop, {
    logger: argv.includes('--verbose') ? ['log', 'warn', 'error', 'fatal'] : ['error', 'fatal'],
    abortOnError: false,
  });
}

async function tellStory(
  kafka: BareKafka,
  shop: INestApplicationContext,
  names: DemoNames,
): Promise<void> {
  for (let half = 1; half <= HALVES; half++) {
    const service = shop.get(OrdersService, { strict: false });
    const orderIds = await placeOrders(service, new Progress(`orders ${half}/${HALVES}`));
    await makeTrouble(kafka, names.orders, orderIds);
    console.log('  trouble     duplicates, poison and records without an id are in the topic');
  }
  await sendReadings(shop.get(EventPublisher, { strict: false }), new Progress('readings'));
  await disturb(kafka, names.telemetry);
  if (!(await caughtUp(kafka, names, new Progress('handled'), CATCH_UP_MS))) {
    console.log(`  handled     not all after ${CATCH_UP_MS / 1_000} s: counting what is there`);
  }
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
