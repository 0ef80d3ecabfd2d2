/**
 * `npm run bench:patterns`: asking and telling in the ways that the decision guide names, under one load.
 *
 * A service looks something up, or handles an event, for as long as a database would take. Callers ask or
 * tell as fast as they can, each waiting for its answer. One broker, every run in a process of its own,
 * rounds interleaved; nothing else should be running.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import pg from 'pg';

import { PostgresOutbox } from 'nestjs-kafka-events/postgres';

import { TestProcess } from '../../test/support/child-process.js';
import { leaveFile } from '../../test/support/cleanup.js';
import { freePorts } from '../../test/support/free-ports.js';
import { KafkaBroker } from '../../test/support/kafka-broker.js';
import { PostgresServer } from '../../test/support/postgres-server.js';
import { withAdmin } from '../../test/support/unique-topic.js';
import { report, type Measured } from '../report.js';
import type { LoopResult, Percentiles } from './closed-loop.js';
import type { ShopTask, Way } from './shop.js';
import { TOPIC, type Surroundings } from './surroundings.js';

const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 3);
const LOAD = { callers: 64, seconds: Number(process.env.BENCH_SECONDS ?? 6), warmUpSeconds: 2 };
const WORK_MS = 5;
const PARTITIONS = 6;

const NAMES = {
  rest: 'sync: REST',
  grpc: 'sync: gRPC behind the breaker',
  publish: 'async: publish',
  service: 'hybrid: sync first',
  view: 'hybrid: sync first, the service away',
  published: 'hybrid: async first',
  outbox: 'hybrid: async first, the broker away',
} as const satisfies Record<Way, string>;

const run = promisify(execFile);
const fileOf = (name: string): URL => new URL(name, import.meta.url);

async function measure(way: Way, surroundings: Surroundings): Promise<LoopResult> {
  const task: ShopTask = { ...surroundings, ...LOAD, way };
  const node = ['--import', '@swc-node/register/esm-register', fileOf('shop.ts').pathname];
  const { stdout } = await run(process.execPath, [...node, JSON.stringify(task)], {
    env: { ...process.env, NODE_ENV: 'development' },
  });
  return JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as LoopResult;
}

async function startAll(surroundings: Surroundings): Promise<TestProcess> {
  const args = [JSON.stringify(surroundings)];
  const env = { NODE_ENV: 'development' };
  await TestProcess.start(fileOf('stock-service.ts'), { args, env }).waitForLine('ready');
  const consumer = TestProcess.start(fileOf('order-consumer.ts'), { args, env });
  await consumer.waitForLine('ready');
  return consumer;
}

/** How long the events of a run took from their timestamp until they were handled, all of them. */
async function handledBy(consumer: TestProcess, published: LoopResult): Promise<Percentiles> {
  consumer.send(JSON.stringify(published));
  return JSON.parse(await consumer.waitForLine('{')) as Percentiles;
}

/** Of a loop, or of what its consumer has handled, which has no rate of its own. */
type Result = Percentiles & Partial<Pick<LoopResult, 'perSecond'>>;

function rowsOf(name: string, results: readonly Result[]): Measured[] {
  const rates = results.flatMap(({ perSecond }) => perSecond ?? []);
  return [
    ...(rates.length > 0 ? [{ name: `${name}: calls/s`, values: rates, digits: 0 }] : []),
    { name: `${name}: p50, ms`, values: results.map(({ p50Ms }) => p50Ms), digits: 1 },
    { name: `${name}: p99, ms`, values: results.map(({ p99Ms }) => p99Ms), digits: 1 },
  ];
}

async function emptyOutbox(connectionString: string): Promise<void> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  await client.query('TRUNCATE kafka_events.outbox');
  await client.end();
}

const broker = await KafkaBroker.start();
const postgres = await PostgresServer.start();
try {
  const [httpPort = 0, grpcPort = 0, nobody = 0] = await freePorts(3);
  const url = postgres.urlOf('postgres');
  const outbox = new PostgresOutbox({ connectionString: url });
  await outbox.createTables();
  await outbox.close();
  const surroundings: Surroundings = {
    ...{ brokers: broker.brokers, httpPort, grpcPort, postgres: url, workMs: WORK_MS },
  };
  await withAdmin(broker.brokers, (admin) =>
    admin.createTopics({
      topics: [
        { topic: TOPIC, numPartitions: PARTITIONS },
        {
          topic: `${TOPIC}.dlq`,
          numPartitions: 1,
          configEntries: [{ name: 'max.message.bytes', value: String(2 * 1024 * 1024) }],
        },
      ],
    }),
  );
  const consumer = await startAll(surroundings);
  const results = new Map<string, Result[]>();
  const keep = (name: string, result: Result): void => {
    results.set(name, [...(results.get(name) ?? []), result]);
  };
  for (let round = 0; round < ROUNDS; round++) {
    keep(NAMES.rest, await measure('rest', surroundings));
    keep(NAMES.grpc, await measure('grpc', surroundings));
    const published = await measure('publish', surroundings);
    keep(NAMES.publish, published);
    keep('async: from publish to handled', await handledBy(consumer, published));
    keep(NAMES.service, await measure('service', surroundings));
    keep(NAMES.view, await measure('view', { ...surroundings, grpcPort: nobody }));
    const publishedFirst = await measure('published', surroundings);
    keep(NAMES.published, publishedFirst);
    keep('hybrid: from async first to handled', await handledBy(consumer, publishedFirst));
    const brokers = [`127.0.0.1:${String(nobody)}`];
    keep(NAMES.outbox, await measure('outbox', { ...surroundings, brokers }));
    // Else relays of later runs publish it, at their expense.
    await emptyOutbox(url);
  }
  const rows = [...results].flatMap(([name, all]) => rowsOf(name, all));
  const conditions = { ...LOAD, workMs: WORK_MS, partitions: PARTITIONS, rounds: ROUNDS };
  await report([{ title: 'Asking and telling', conditions, rows }]);
} finally {
  await leaveFile();
  await postgres.stop();
  await broker.stop();
}
