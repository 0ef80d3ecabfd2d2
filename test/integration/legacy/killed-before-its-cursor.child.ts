/** Polls a feed of so many changes and dies before it notes a cursor, if told to. Its argument is `Poller` as JSON. */
import { readFileSync, writeFileSync } from 'node:fs';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';

import { event, KafkaEventsModule, legacyFeed } from '../../../lib/index.js';
import { quickOptions } from '../../support/nest-app.js';
import { OrderCreated } from '../../support/shop-events.js';

export interface Poller {
  readonly brokers: readonly string[];
  readonly topic: string;
  /** The file of the cursor. */
  readonly cursor: string;
  readonly changes: number;
  /** Whether it dies when a page is published, before that is noted. */
  readonly dies: boolean;
}

const poller = JSON.parse(process.argv[2] ?? '') as Poller;
const { brokers, topic, cursor: file, changes, dies } = poller;
const PAGE = 10;

const feed = legacyFeed<number>({
  name: 'orders',
  everyMs: 100,
  poll: (cursor) => {
    const from = Number(cursor ?? 0);
    const page = Array.from({ length: Math.min(PAGE, changes - from) }, (_, n) => from + n);
    if (page.length === 0) console.log('all polled');
    return { changes: page, cursor: String(from + page.length) };
  },
  id: String,
  toEvent: (n) => event(OrderCreated, { orderId: String(n) }),
});

const cursors = {
  read: () => readFileSync(file, 'utf8') || null,
  write: (_: string, cursor: string) => {
    if (dies) process.kill(process.pid, 'SIGKILL');
    writeFileSync(file, cursor);
  },
};

@Module({
  imports: [
    KafkaEventsModule.forRoot({
      ...quickOptions(brokers, 'not used', topic),
      ...{ consume: false, legacy: { feeds: [feed], cursors } },
    }),
  ],
})
class PollerModule {}

await NestFactory.createApplicationContext(PollerModule, { logger: false });
console.log('polling');
