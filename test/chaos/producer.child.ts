/** A service that publishes and tells the ledger what was acknowledged. Its argument is a `ProducerSetup` as JSON. */
import { writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { EventPublisher, KafkaEventsModule, PublishError } from '../../lib/index.js';
import { LedgerClient } from './ledger-client.js';
import { plannedEvent, type Load, type PlannedEvent } from './load.js';
import { MalformedOrderPlaced, OrderPlaced, OrderPlacedTooSoon } from './orders.js';

export interface ProducerSetup {
  readonly name: string;
  readonly index: number;
  readonly brokers: readonly string[];
  readonly topic: string;
  readonly ledgerPort: number;
  readonly load: Load;
}

/** Events on their way at most: it waits rather than run ahead of a Kafka that is in trouble. */
const MAX_OUTSTANDING = 2_000;
/** So many events later an event comes again that comes twice. */
const TWICE_AFTER = 500;
const TICK_MS = 50;

const setup = JSON.parse(process.argv[2] ?? '') as ProducerSetup;
const { name, index, brokers, topic, ledgerPort, load } = setup;
const ledger = await LedgerClient.connect(ledgerPort, name);

@Module({
  imports: [
    KafkaEventsModule.forRoot({
      clientId: name,
      brokers,
      consume: false,
      requestTimeoutMs: 5_000,
      topicName: () => topic,
    }),
  ],
})
class ShopModule {}

const app = await NestFactory.createApplicationContext(ShopModule, { logger: ['error', 'fatal'] });
const events = app.get(EventPublisher);

/** By key, its events that are not acknowledged yet: the next is published when this resolves. */
const tails = new Map<string, Promise<void>>();
let outstanding = 0;
let stopping = false;

createInterface({ input: process.stdin }).once('line', () => (stopping = true));

await produce();
await Promise.all(tails.values());
await app.close();
writeSync(process.stdout.fd, 'all acknowledged\n');
process.exit();

async function produce(): Promise<void> {
  const startedAt = performance.now();
  // After a standstill it goes on at its pace, and does not catch up.
  let skippedMs = 0;
  for (let n = 0; !stopping;) {
    const due = ((performance.now() - startedAt - skippedMs) / 1000) * load.perSecond;
    for (; n < due; n++) {
      inTurn(plannedEvent(load, index, n));
      const earlier = plannedEvent(load, index, n - TWICE_AFTER);
      if (n >= TWICE_AFTER && earlier.fate === 'comes-twice') inTurn(earlier);
    }
    const waitingSince = performance.now();
    do await sleep(TICK_MS);
    while (outstanding > MAX_OUTSTANDING);
    skippedMs += Math.max(0, performance.now() - waitingSince - 2 * TICK_MS);
  }
}

/** Publishes the events of a key one after another. */
function inTurn(planned: PlannedEvent): void {
  outstanding++;
  const before = tails.get(planned.orderId) ?? Promise.resolve();
  const turn = before
    .then(() => publishUntilAcknowledged(planned))
    .finally(() => {
      outstanding--;
      if (tails.get(planned.orderId) === turn) tails.delete(planned.orderId);
    });
  tails.set(planned.orderId, turn);
}

async function publishUntilAcknowledged(planned: PlannedEvent): Promise<void> {
  for (;;) {
    try {
      const { partition } = await publish(planned);
      ledger.note('sent', planned.eventId, String(partition));
      return;
    } catch (error) {
      if (!(error instanceof PublishError) || !error.retryable) throw error;
    }
  }
}

function publish({ eventId, orderId, fate }: PlannedEvent) {
  if (fate === 'malformed') return events.publish(MalformedOrderPlaced, { orderId }, { eventId });
  if (fate === 'too-new') return events.publish(OrderPlacedTooSoon, { orderId }, { eventId });
  return events.publish(OrderPlaced, { orderId, fate }, { eventId });
}
