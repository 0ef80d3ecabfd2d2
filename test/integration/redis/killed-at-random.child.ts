/** A service that shares its work with others, to be killed at any moment. Its argument is a `Worker` as JSON. */
import { appendFileSync, writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Ctx } from '@nestjs/microservices';
import { IsOptional } from 'class-validator';
import { Redis } from 'ioredis';

import {
  DomainEvent,
  EventBatch,
  EventBatchHandler,
  EventContext,
  EventHandler,
  KafkaEventsModule,
  MemoryIdempotencyStore,
  type IdempotencyStore,
} from '../../../lib/index.js';
import { RedisIdempotencyStore } from '../../../lib/redis/index.js';
import { quickOptions } from '../../support/nest-app.js';

export interface Worker {
  readonly brokers: readonly string[];
  readonly topic: string;
  readonly groupId: string;
  /** Null for a store of the process's own. */
  readonly redis: { readonly host: string; readonly port: number } | null;
  /** File that effects and completions are appended to. */
  readonly ledger: string;
  readonly sessionTimeoutMs: number;
  /** Events whose handler ends the process: half of them by a signal, half by an abort. */
  readonly killers?: readonly string[];
  /** Whether its handler takes batches. */
  readonly batches?: boolean;
}

@DomainEvent({ type: 'order.created', version: 1, topic: 'orders', key: () => 'unused' })
class OrderCreated {
  @IsOptional() note?: string;
}

const worker = JSON.parse(process.argv[2] ?? '') as Worker;
const { brokers, topic, groupId, sessionTimeoutMs, killers = [] } = worker;

class Orders {
  @EventHandler(OrderCreated)
  async handle(@Ctx() event: EventContext): Promise<void> {
    await sleep(5);
    if (killers.includes(event.eventId)) kill(event.eventId);
    write('effect', event.eventId);
  }
}

/** The ways of a native module that crashes, and of the kernel that wants memory back. */
function kill(id: string): void {
  write('kill', id);
  if (killers.indexOf(id) % 2 === 1) process.abort();
  process.kill(process.pid, 'SIGKILL');
}

class OrderBatches {
  @EventBatchHandler(OrderCreated, { maxSize: 50, maxWaitMs: 20 })
  async handle(batch: EventBatch<OrderCreated>): Promise<void> {
    for (const { index, eventId, attempt } of batch) {
      await sleep(1);
      if (killers.includes(eventId)) kill(eventId);
      // Now and then one record fails once, and comes again with the later ones of its key.
      if (attempt === 1 && Number(eventId) % 97 === 0) {
        batch.retry(index, new Error('not yet'));
        continue;
      }
      write('effect', eventId);
      batch.settle(index);
    }
  }
}

/** Each line is one write: what is in the ledger has happened, whatever happens next. */
function write(what: string, id: string): void {
  appendFileSync(worker.ledger, `${what} ${id}\n`);
}

function openStore(): IdempotencyStore {
  if (worker.redis === null) return new MemoryIdempotencyStore();
  return new RedisIdempotencyStore({ client: new Redis({ ...worker.redis, lazyConnect: true }) });
}

function witnessed(store: IdempotencyStore): IdempotencyStore {
  const start = store.start?.bind(store);
  return {
    ...(start && { start }),
    name: store.name,
    inProcess: store.inProcess,
    verify: () => store.verify?.(),
    claim: (requests) => store.claim(requests),
    complete: async (completions) => {
      const answers = await store.complete(completions);
      completions.forEach(({ key }, i) => {
        if (answers[i] === true) write('complete', key.split('\0').at(-1) ?? '');
      });
      return answers;
    },
    release: (releases) => store.release(releases),
    renew: (renewals) => store.renew(renewals),
    close: () => store.close?.(),
  };
}

const options = quickOptions(brokers, groupId, topic, {
  consumer: { sessionTimeoutMs, revokeDrainMs: sessionTimeoutMs / 3 },
  idempotency: { store: witnessed(openStore()) },
});

@Module({
  imports: [KafkaEventsModule.forRoot(options)],
  providers: [worker.batches === true ? OrderBatches : Orders],
})
class WorkerModule {}

const app = await NestFactory.createApplicationContext(WorkerModule, {
  logger: ['error', 'fatal'],
});
writeSync(process.stdout.fd, 'working\n');

createInterface({ input: process.stdin }).once('line', () => {
  void app.close().finally(() => process.exit());
});
