/** An ordinary service on the package, to be killed at any moment. Its argument is a `ConsumerSetup` as JSON. */
import { writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Ctx, Payload } from '@nestjs/microservices';
import { Redis } from 'ioredis';
import {
  EventContext,
  EventHandler,
  KafkaEventsHealth,
  KafkaEventsModule,
  NonRetryableEventError,
  type Completion,
} from '../../lib/index.js';
import { RedisIdempotencyStore } from '../../lib/redis/index.js';
import type { Fate } from './fate.js';
import { LedgerClient } from './ledger-client.js';
import { OrderPlaced } from './orders.js';
import { tellVitals } from './vitals.js';

export interface ConsumerSetup {
  readonly name: string;
  readonly brokers: readonly string[];
  readonly topic: string;
  readonly groupId: string;
  readonly redis: { readonly host: string; readonly port: number };
  readonly ledgerPort: number;
}

const VITALS_MS = 10_000;

const setup = JSON.parse(process.argv[2] ?? '') as ConsumerSetup;
const ledger = await LedgerClient.connect(setup.ledgerPort, setup.name);

@Injectable()
class Orders {
  @EventHandler(OrderPlaced, {
    timeoutMs: 3_000,
    retry: { attempts: 3, initialDelayMs: 50 },
  })
  async place(@Payload() { fate }: OrderPlaced, @Ctx() event: EventContext): Promise<void> {
    await sleep(5);
    await meet(fate, event);
    await ledger.effect(event.eventId);
  }
}

async function meet(fate: Fate, event: EventContext): Promise<void> {
  switch (fate) {
    case 'slow':
      return sleep(400);
    case 'fails-once':
      if (event.attempt === 1) throw new Error('once');
      return;
    case 'hangs-once':
      if (event.attempt === 1) await sleep(60_000, undefined, { signal: event.signal });
      return;
    case 'refused':
      throw new NonRetryableEventError('refused');
    case 'always-fails':
      throw new Error('always');
    case 'gives-up':
      return event.deadLetter('given up');
    case 'never-returns':
      return new Promise(() => undefined);
    case 'kills-its-process':
      process.kill(process.pid, 'SIGKILL');
      return new Promise(() => undefined);
    default:
  }
}

/** Tells the ledger of every mark that Redis has confirmed. */
class WitnessedStore extends RedisIdempotencyStore {
  override async complete(completions: readonly Completion[]): Promise<readonly boolean[]> {
    const answers = await super.complete(completions);
    completions.forEach(({ key, state }, i) => {
      const eventId = key.split('\0').at(-1) ?? '';
      if (answers[i] === true) ledger.note(state === 'done' ? 'done' : 'dead', eventId);
    });
    return answers;
  }
}

@Module({
  imports: [
    KafkaEventsModule.forRoot({
      // Another process is another owner of partitions, for whoever watches the group.
      clientId: `${setup.name}.${process.pid}`,
      brokers: setup.brokers,
      requestTimeoutMs: 5_000,
      topicName: () => setup.topic,
      // What is broken is noticed within seconds.
      consumer: { groupId: setup.groupId, sessionTimeoutMs: 6_000, rebalanceTimeoutMs: 10_000 },
      idempotency: {
        store: new WitnessedStore({ client: new Redis({ ...setup.redis, lazyConnect: true }) }),
      },
      observers: [
        {
          onEngineFault: ({ error }) => {
            ledger.note('fault', error.message.replaceAll(/\s+/g, ' '));
          },
        },
      ],
    }),
  ],
  providers: [Orders],
})
class ServiceModule {}

const app = await NestFactory.createApplicationContext(ServiceModule, {
  logger: ['log', 'warn', 'error', 'fatal'],
});
app.enableShutdownHooks();

const health = app.get(KafkaEventsHealth);
await health.whenReady({ timeoutMs: 120_000 });
writeSync(process.stdout.fd, 'ready\n');
tellVitals(VITALS_MS);
