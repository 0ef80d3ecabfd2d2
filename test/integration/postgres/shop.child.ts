/**
 * A service on Kafka and Postgres, to be killed: it writes payments with their events through an outbox,
 * and books each payment, with the mark of its event, in a transaction. Its argument is a `Shop` as JSON.
 */
import { randomUUID } from 'node:crypto';
import { writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Ctx, Payload } from '@nestjs/microservices';
import { IsInt, IsString } from 'class-validator';
import pg from 'pg';

import {
  DomainEvent,
  EventContext,
  EventHandler,
  EventOutbox,
  KafkaEventsModule,
  type Completion,
} from '../../../lib/index.js';
import {
  inTransaction,
  PostgresIdempotencyStore,
  PostgresOutbox,
} from '../../../lib/postgres/index.js';
import { quickOptions } from '../../support/nest-app.js';

export const CRASH_POINTS = [
  'writing, before the commit',
  'writing, after the commit',
  'relaying, before the publish',
  'relaying, after the publish, before the removal',
  'handling, before the transaction',
  'handling, inside the transaction',
  'handling, after the commit, before complete',
  'handling, after complete',
] as const;

export type CrashPoint = (typeof CRASH_POINTS)[number];

export interface Shop {
  readonly brokers: readonly string[];
  readonly topic: string;
  readonly groupId: string;
  readonly postgres: string;
  readonly accounts: number;
  /** Writes until there are so many payments. */
  readonly payments: number;
  readonly leaseMs: number;
  readonly sessionTimeoutMs: number;
  /** Kills itself the so-manyth time that it comes there. */
  readonly crash: { readonly at: CrashPoint; readonly times: number } | null;
}

/** Every so many-th payment is taken back before it is committed. */
const TAKEN_BACK = 5;

@DomainEvent({ type: 'payment.made', version: 1, topic: 'payments', key: 'account' })
class PaymentMade {
  @IsString() account!: string;
  /** Of the account's payments, the how-manyth. */
  @IsInt() place!: number;
  @IsInt() cents!: number;
}

const shop = JSON.parse(process.argv[2] ?? '') as Shop;
const pool = new pg.Pool({ connectionString: shop.postgres, max: 12 });
pool.on('error', () => undefined);
const connection = { connectionString: shop.postgres };

let times = 0;
function reach(point: CrashPoint): void {
  if (shop.crash?.at !== point || ++times < shop.crash.times) return;
  writeSync(process.stdout.fd, `dies: ${point}\n`);
  process.kill(process.pid, 'SIGKILL');
}

class MortalOutbox extends PostgresOutbox {
  override async next(...args: Parameters<PostgresOutbox['next']>) {
    const records = await super.next(...args);
    if (records.length > 0) reach('relaying, before the publish');
    return records;
  }

  override async remove(ids: readonly string[]) {
    reach('relaying, after the publish, before the removal');
    await super.remove(ids);
  }
}

class MortalStore extends PostgresIdempotencyStore {
  override async complete(completions: readonly Completion[]) {
    const answers = await super.complete(completions);
    reach('handling, after complete');
    return answers;
  }
}

const store = new MortalStore(connection);

class Bookings {
  @EventHandler(PaymentMade)
  async book(@Payload() payment: PaymentMade, @Ctx() event: EventContext): Promise<void> {
    reach('handling, before the transaction');
    await inTransaction(pool, async (tx) => {
      await store.completeIn(tx, event);
      await tx.query('INSERT INTO effects VALUES ($1)', [event.eventId]);
      const booked = 'UPDATE accounts SET cents = cents + $2 WHERE name = $1';
      await tx.query(booked, [payment.account, payment.cents]);
      reach('handling, inside the transaction');
    });
    reach('handling, after the commit, before complete');
  }
}

const options = quickOptions(shop.brokers, shop.groupId, shop.topic, {
  consumer: { sessionTimeoutMs: shop.sessionTimeoutMs, revokeDrainMs: 500 },
  idempotency: { store },
  outbox: {
    store: new MortalOutbox(connection),
    leaseMs: shop.leaseMs,
    batchSize: 20,
    pollMs: 200,
  },
});

@Module({ imports: [KafkaEventsModule.forRoot(options)], providers: [Bookings] })
class ShopModule {}

const app = await NestFactory.createApplicationContext(ShopModule, { logger: ['error', 'fatal'] });
const outbox = app.get(EventOutbox);
writeSync(process.stdout.fd, 'working\n');

let stopping = false;
const writing = writePayments();
createInterface({ input: process.stdin }).once('line', () => {
  stopping = true;
  void writing.then(() => app.close()).finally(() => process.exit());
});

async function writePayments(): Promise<void> {
  for (let i = 0; !stopping; i++) {
    try {
      if (await isEnough()) return;
      await writePayment(i);
    } catch (error) {
      // Taken back, or Postgres is away: both are what this is about.
      if (!(error instanceof TakenBackError)) await new Promise((wake) => setTimeout(wake, 100));
    }
  }
}

class TakenBackError extends Error {}

async function isEnough(): Promise<boolean> {
  const { rows } = await pool.query<{ payments: number }>(
    'SELECT count(*)::int AS payments FROM payments',
  );
  return (rows[0]?.payments ?? 0) >= shop.payments;
}

async function writePayment(i: number): Promise<void> {
  const account = `account-${String(i % shop.accounts)}`;
  const [eventId, cents] = [randomUUID(), 1 + (i % 97)];
  await inTransaction(pool, async (tx) => {
    // The lock of the account makes the order of the commits that of the inserts.
    const counted = 'UPDATE accounts SET places = places + 1 WHERE name = $1 RETURNING places';
    const { rows } = await tx.query<{ places: number }>(counted, [account]);
    const place = rows[0]?.places ?? 0;
    await outbox.add(tx, PaymentMade, { account, place, cents }, { eventId });
    await tx.query('INSERT INTO payments VALUES ($1, $2, $3, $4)', [
      eventId,
      account,
      place,
      cents,
    ]);
    if (i % TAKEN_BACK === TAKEN_BACK - 1) throw new TakenBackError();
    reach('writing, before the commit');
  });
  reach('writing, after the commit');
}
