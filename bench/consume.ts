/**
 * `npm run bench`: how fast we consume beside bare kafkajs and Nest's own transport.
 *
 * One broker, one backlog, every contender in a process and a group of its own, rounds interleaved;
 * what counts are the ratios within this one run. Nothing else should be running.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

import { KafkaBroker } from '../test/support/kafka-broker.js';
import { RedisServer } from '../test/support/redis-server.js';
import { writeBacklog, type Backlog } from './backlog.js';
import type { Contender, Task } from './contenders.js';
import { ratios, report, type Measured, type Table } from './report.js';

const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 7);
const BACKLOG = { records: 300_000, partitions: 6, keys: 10_000 };
/** Of those who commit each record: more would take minutes. */
const FEW = { ...BACKLOG, records: 3_000 };
const SLOW = { records: 10_000, partitions: 1, keys: 1_000, workMs: 10, concurrency: 100 };
/** As most run it: with the machine, a second or two of marks may be lost. */
const REDIS = ['--appendonly', 'yes', '--appendfsync', 'everysec'];

const run = promisify(execFile);
const contenders = new URL('contenders.ts', import.meta.url).pathname;

async function time(contender: Contender, backlog: Backlog, extra: Partial<Task>): Promise<number> {
  const groupId = `${contender}-${String(process.hrtime.bigint())}`;
  const task = { ...backlog, groupId, workMs: 0, concurrency: 16, redis: redis.address, ...extra };
  const node = ['--import', '@swc-node/register/esm-register', contenders];
  const { stdout } = await run(process.execPath, [...node, contender, JSON.stringify(task)], {
    // kafkajs retries otherwise when NODE_ENV is "test".
    env: { ...process.env, NODE_ENV: 'development', KAFKAJS_NO_PARTITIONER_WARNING: '1' },
  });
  const line = stdout.trim().split('\n').at(-1) ?? '';
  return (JSON.parse(line) as { ms: number }).ms;
}

const RIVALS = {
  bare: 'bare kafkajs, eachBatch',
  nestTransport: 'Nest transport, auto-commit',
  server: 'KafkaEventsServer, interceptor and filter',
  ours: 'ours, as it comes (class-validator)',
  oursUnchecked: 'ours, no validation',
  oursOnRedis: 'ours, no validation, Redis store',
  batches: 'ours, batches, no validation',
  batchesOnRedis: 'ours, batches, no validation, Redis store',
} as const satisfies Partial<Record<Contender, string>>;
type Rival = keyof typeof RIVALS;

async function backlogTable(backlog: Backlog): Promise<Table> {
  const rivals = Object.keys(RIVALS) as Rival[];
  const rates = new Map<Contender, number[]>();
  const measure = async (contender: Contender, from: Backlog): Promise<void> => {
    const perSecond = (from.records / (await time(contender, from, {}))) * 1000;
    rates.set(contender, [...(rates.get(contender) ?? []), perSecond]);
  };
  const few = { ...FEW, brokers: backlog.brokers, topic: 'bench.few' };
  for (let round = 0; round < ROUNDS; round++) {
    for (const rival of rivals) await measure(rival, backlog);
    await measure('nestCommitting', few);
  }
  const of = (contender: Contender): number[] => rates.get(contender) ?? [];
  const rate = (name: string, contender: Contender): Measured => ({
    name: `${name}, records/s`,
    values: of(contender),
    digits: 0,
  });
  const ratio = (one: Rival, other: Contender, to: string, digits = 2): Measured => ({
    name: `${RIVALS[one]} / ${to}`,
    values: ratios(of(one), of(other)),
    digits,
  });
  return {
    title: 'Consuming a backlog',
    conditions: { ...BACKLOG, rounds: ROUNDS },
    rows: [
      ...rivals.map((rival) => rate(RIVALS[rival], rival)),
      rate(`Nest transport, commit per record (${String(FEW.records)} records)`, 'nestCommitting'),
      ...rivals.filter((rival) => rival !== 'bare').map((rival) => ratio(rival, 'bare', 'bare')),
      ratio('server', 'nestTransport', 'Nest, auto-commit'),
      ratio('server', 'nestCommitting', 'Nest, commit per record', 0),
      ratio('oursUnchecked', 'nestTransport', 'Nest, auto-commit'),
      ratio('oursUnchecked', 'nestCommitting', 'Nest, commit per record', 0),
    ],
  };
}

async function slowHandlersTable(backlog: Backlog): Promise<Table> {
  const ceilingMs = (SLOW.records / SLOW.concurrency) * SLOW.workMs;
  const shares: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    shares.push(ceilingMs / (await time('oursUnchecked', backlog, SLOW)));
  }
  const name = `share of the ceiling of ${String(ceilingMs)} ms`;
  return {
    title: 'Slow handlers',
    conditions: { ...SLOW, rounds: ROUNDS },
    rows: [{ name, values: shares, digits: 3 }],
  };
}

const broker = await KafkaBroker.start();
const redis = await RedisServer.start(...REDIS);
try {
  const { brokers } = broker;
  const fast = { ...BACKLOG, brokers, topic: 'bench.fast' };
  const slow = { ...SLOW, brokers, topic: 'bench.slow' };
  await writeBacklog(fast);
  await writeBacklog(slow);
  await writeBacklog({ ...FEW, brokers, topic: 'bench.few' });
  await report([await backlogTable(fast), await slowHandlersTable(slow)]);
} finally {
  await redis.stop();
  await broker.stop();
}
