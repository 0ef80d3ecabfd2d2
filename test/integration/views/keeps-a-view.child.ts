/**
 * A service that keeps the view of `stock-view.ts` in Postgres, to be killed.
 *
 * Its argument is a `KeeperSetup` as JSON; it says `ready` when the view can be read.
 */
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';

import { KafkaEventsHealth, KafkaEventsModule } from '../../../lib/index.js';
import { PostgresViewStore } from '../../../lib/postgres/index.js';
import { quickOptions } from '../../support/nest-app.js';
import { stockView } from '../../support/stock-view.js';

export interface KeeperSetup {
  readonly brokers: readonly string[];
  readonly topic: string;
  readonly groupId: string;
  readonly url: string;
  readonly version: number;
  /** What applying one event takes. */
  readonly applyMs: number;
}

const setup = JSON.parse(process.argv[2] ?? '') as KeeperSetup;
const { brokers, groupId, topic, url, version, applyMs } = setup;

@Module({
  imports: [
    KafkaEventsModule.forRoot(
      quickOptions(brokers, groupId, topic, {
        views: {
          store: new PostgresViewStore({ connectionString: url }),
          views: [stockView({ version, applyMs })],
        },
      }),
    ),
  ],
})
class KeeperModule {}

const app = await NestFactory.createApplicationContext(KeeperModule, { logger: ['warn', 'error'] });
await app.get(KafkaEventsHealth).whenReady({ timeoutMs: 60_000 });
process.stdout.write('ready\n');
