import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, describe, expect, it } from '@jest/globals';

import { toError } from '../../../lib/kafka-events.errors.js';
import { PostgresIdempotencyStore, PostgresOutbox } from '../../../lib/postgres/index.js';
import { TestProcess } from '../../support/child-process.js';
import { committedToTheEnd, createEventTopic, endOffsets } from '../../support/event-topic.js';
import { eventually } from '../../support/eventually.js';
import { headerOf, readWithKcat } from '../../support/kcat.js';
import { describeRealKafka } from '../../support/real-kafka.js';
import {
  createDatabase,
  describeRealPostgres,
  postgresPool,
  startPostgres,
} from '../../support/real-postgres.js';
import { seededRandom } from '../../support/seeded-random.js';
import { uniqueName } from '../../support/unique-topic.js';
import type { CrashPoint, Shop } from './shop.child.js';

const SHOP = 'test/integration/postgres/shop.child.ts';
const SEED = Number(process.env.SEED ?? 1);
const KILLS = Number(process.env.KILLS ?? 8);
const ACCOUNTS = 6;
const PAYMENTS = 150;
/** Enough to be at work whenever a process is frozen. */
const FROZEN_PAYMENTS = 2_000;
const LEASE_MS = 1_000;
const PATIENCE_MS = 180_000;
/** Crashes tried at once: more would only fight for the processor. */
const AT_A_TIME = 3;

/** Where a process dies, and the how-manyth time it comes there: in the middle of the work. */
const CRASHES: readonly (readonly [CrashPoint, number])[] = [
  ['writing, before the commit', 40],
  ['writing, after the commit', 40],
  ['relaying, before the publish', 3],
  ['relaying, after the publish, before the removal', 3],
  ['handling, before the transaction', 40],
  ['handling, inside the transaction', 40],
  ['handling, after the commit, before complete', 40],
  ['handling, after complete', 20],
];

interface Verdict {
  readonly payments: number;
  /** Committed payments whose event is not in the topic, or without an effect. */
  readonly unpublished: number;
  readonly withoutEffect: number;
  /** Events in the topic whose payment was not committed. */
  readonly phantoms: number;
  readonly repeatedEffects: number;
  /** Cents booked beyond, or short of, those that were paid. */
  readonly difference: number;
  readonly orderViolations: number;
  /** Copies in the topic beyond the first: what at least once means. */
  readonly copies: number;
  readonly deadLetters: number;
}

const RIGHT = {
  ...{ unpublished: 0, withoutEffect: 0, phantoms: 0, repeatedEffects: 0 },
  ...{ difference: 0, orderViolations: 0, deadLetters: 0 },
};

describeRealKafka('a shop on Kafka and Postgres', (brokers) => {
  describeRealPostgres('that is killed', (url) => {
    const verdicts = new Map<string, Verdict | Error>();

    beforeAll(async () => {
      const crashes = [...CRASHES];
      const takeTurns = async (): Promise<void> => {
        for (let crash = crashes.shift(); crash !== undefined; crash = crashes.shift()) {
          verdicts.set(crash[0], await crashAndRecover(...crash).catch(toError));
        }
      };
      await Promise.all(Array.from({ length: AT_A_TIME }, takeTurns));
    }, PATIENCE_MS);

    async function crashAndRecover(at: CrashPoint, times: number): Promise<Verdict> {
      const place = await prepare(brokers, await createDatabase(url()));
      const victim = start({ ...place, crash: { at, times } });
      await victim.waitForLine(`dies: ${at}`, 60_000);
      await victim.waitForExit();
      const heir = start(place);
      const verdict = await judge(place);
      heir.send('stop');
      await heir.waitForExit();
      return verdict;
    }

    it.each(CRASHES)('%s: all is published, and has its effect once', (at) => {
      const verdict = verdicts.get(at);
      if (verdict === undefined || verdict instanceof Error)
        throw verdict ?? new Error('never ran');
      report(at, verdict);
      expect(verdict).toMatchObject(RIGHT);
    });
  });

  describeRealPostgres('of two processes', (url) => {
    it(
      'loses and reorders nothing when they are frozen in turn beyond the lease of the relay',
      async () => {
        const place = await prepare(brokers, await createDatabase(url()), FROZEN_PAYMENTS);
        const shops = [start(place), start(place)];
        const pool = postgresPool(place.postgres);
        await Promise.all(shops.map((each) => each.waitForLine('working', 60_000)));
        let frozen = 0;
        await eventually(
          async () => {
            // Whoever it hits: in the end the one that publishes was frozen beyond its lease, more than once.
            const victim = shops[frozen++ % 2];
            if (victim === undefined) throw new Error('no shop');
            process.kill(victim.pid, 'SIGSTOP');
            await sleep(2 * LEASE_MS);
            process.kill(victim.pid, 'SIGCONT');
            const { rows } = await pool.query<{ n: number }>(
              'SELECT count(*)::int AS n FROM payments',
            );
            return frozen >= 4 && (rows[0]?.n ?? 0) >= FROZEN_PAYMENTS;
          },
          { timeoutMs: 60_000, intervalMs: 300 },
        );
        const verdict = await judge(place);
        report('frozen', verdict);
        expect(verdict).toMatchObject(RIGHT);
        for (const each of shops) each.send('stop');
        await Promise.all(shops.map((each) => each.waitForExit()));
      },
      PATIENCE_MS,
    );
  });

  // A server of their own, to be killed as well.
  describe('with a Postgres that is killed, too', () => {
    it(
      'books each payment once, whoever dies when',
      async () => {
        const server = await startPostgres();
        const place = await prepare(brokers, await createDatabase(server.urlOf('postgres')), 1_500);
        const shops = [start(place), start(place)];
        const random = seededRandom(SEED);
        await Promise.all(shops.map((each) => each.waitForLine('working', 60_000)));
        for (let kill = 0; kill < KILLS; kill++) {
          await sleep(300 + 1_200 * random());
          if (kill % 3 === 2) {
            await server.shutDown('SIGKILL');
            await sleep(500 * random());
            await server.boot();
          } else {
            const victim = random() < 0.5 ? 0 : 1;
            await shops[victim]?.kill();
            shops[victim] = start(place);
          }
        }
        const verdict = await judge(place);
        report(`${String(KILLS)} kills, seed ${String(SEED)}`, verdict);
        expect(verdict).toMatchObject(RIGHT);
        for (const each of shops) each.send('stop');
        await Promise.all(shops.map((each) => each.waitForExit()));
      },
      PATIENCE_MS,
    );
  });
});

function start(shop: Shop): TestProcess {
  return TestProcess.start(SHOP, { args: [JSON.stringify(shop)] });
}

async function prepare(brokers: string[], postgres: string, payments = PAYMENTS): Promise<Shop> {
  const pool = postgresPool(postgres);
  await new PostgresIdempotencyStore({ pool }).createTables();
  await new PostgresOutbox({ pool }).createTables();
  await pool.query(`
    CREATE TABLE accounts (name text PRIMARY KEY, places int NOT NULL, cents int NOT NULL);
    CREATE TABLE payments (event_id text NOT NULL, account text, place int, cents int);
    CREATE TABLE effects (event_id text NOT NULL);
    INSERT INTO accounts SELECT 'account-' || i, 0, 0 FROM generate_series(0, ${String(ACCOUNTS - 1)}) i`);
  return {
    ...{ brokers, topic: await createEventTopic(brokers, 3), groupId: uniqueName('group') },
    ...{ postgres, accounts: ACCOUNTS, payments, leaseMs: LEASE_MS, sessionTimeoutMs: 3_000 },
    crash: null,
  };
}

/** Waits until all is written, published and handled; then counts with other means than the shop's. */
async function judge({ brokers, topic, groupId, postgres, payments }: Shop): Promise<Verdict> {
  const pool = postgresPool(postgres);
  const one = async (sql: string): Promise<number> => {
    const { rows } = await pool.query<{ n: number }>(`SELECT (${sql})::int AS n`);
    return rows[0]?.n ?? NaN;
  };
  await eventually(
    async () => {
      const written = await one('SELECT count(*) FROM payments');
      const pending = await one('SELECT count(*) FROM kafka_events.outbox');
      const handled = await one('SELECT count(DISTINCT event_id) FROM effects');
      if (written >= payments && pending === 0 && handled >= written) return true;
      throw new Error(`${written} written, ${pending} in the outbox, ${handled} handled`);
    },
    { timeoutMs: 90_000, intervalMs: 200 },
  );
  await committedToTheEnd([...brokers], groupId, topic);

  const paid = new Set(
    (await pool.query<{ event_id: string }>('SELECT event_id FROM payments')).rows.map(
      (row) => row.event_id,
    ),
  );
  const records = await readWithKcat(brokers, topic);
  const ids = records.map((record) => headerOf(record, 'event-id') ?? '');
  const published = new Set(ids);
  const places = new Map<string, number>();
  let orderViolations = 0;
  records.forEach((record, i) => {
    if (ids.indexOf(ids[i] ?? '') !== i) return;
    const { account, place } = JSON.parse(String(record.value)) as {
      account: string;
      place: number;
    };
    if (place !== (places.get(account) ?? 0) + 1) orderViolations++;
    places.set(account, place);
  });
  const [deadLetters = 0] = await endOffsets([...brokers], `${topic}.dlq`);
  return {
    payments: paid.size,
    unpublished: [...paid].filter((id) => !published.has(id)).length,
    phantoms: [...published].filter((id) => !paid.has(id)).length,
    withoutEffect: await one(
      'SELECT count(*) FROM payments WHERE event_id NOT IN (SELECT event_id FROM effects)',
    ),
    repeatedEffects: await one('SELECT count(*) - count(DISTINCT event_id) FROM effects'),
    difference: await one('(SELECT sum(cents) FROM accounts) - (SELECT sum(cents) FROM payments)'),
    orderViolations,
    copies: records.length - published.size,
    deadLetters,
  };
}

function report(what: string, verdict: Verdict): void {
  process.stdout.write(`shop, ${what}: ${JSON.stringify(verdict)}\n`);
}
