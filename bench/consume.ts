/**
 * `npm run bench`: how fast we consume beside bare kafkajs and Nest's own transport.
 *
 * One broker, one backlog, every contender in a process and a group of its own, rounds interleaved;
 * what counts are the ratios within this one run. Nothing else should be running.
 */
import { execFile } from 'node:child_process';
import { cpus } from 'node:os';
import { promisify } from 'node:util';

import { KafkaBroker } from '../test/support/kafka-broker.js';
import { writeBacklog, type Backlog } from './backlog.js';
import type { Contender, Task } from './contenders.js';
import { HEADING, row } from './figures.js';

const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 5);
const BACKLOG = { records: 300_000, partitions: 6, keys: 10_000 };
const SLOW = { records: 10_000, partitions: 1, keys: 1_000, workMs: 10, concurrency: 100 };

const run = promisify(execFile);
const contenders = new URL('contenders.ts', import.meta.url).pathname;

async function time(contender: Contender, backlog: Backlog, extra: Partial<Task>): Promise<number> {
  const groupId = `${contender}-${String(process.hrtime.bigint())}`;
  const task = { ...backlog, groupId, workMs: 0, concurrency: 16, ...extra };
  const node = ['--import', '@swc-node/register/esm-register', contenders];
  const { stdout } = await run(process.execPath, [...node, contender, JSON.stringify(task)], {
    // kafkajs retries otherwise when NODE_ENV is "test".
    env: { ...process.env, NODE_ENV: 'development', KAFKAJS_NO_PARTITIONER_WARNING: '1' },
  });
  const line = stdout.trim().split('\n').at(-1) ?? '';
  return (JSON.parse(line) as { ms: number }).ms;
}

async function backlogRatios(backlog: Backlog): Promise<void> {
  const times: Record<Contender, number[]> = { bare: [], nestTransport: [], ours: [] };
  for (let round = 0; round < ROUNDS; round++) {
    for (const contender of ['bare', 'ours', 'nestTransport'] as const) {
      times[contender].push(await time(contender, backlog, {}));
    }
  }
  const against = (other: Contender): number[] =>
    times.ours.map((ms, round) => (times[other][round] ?? Number.NaN) / ms);
  const perSecond = (contender: Contender): number[] =>
    times[contender].map((ms) => (backlog.records / ms) * 1000);
  console.log(`\nbacklog ${JSON.stringify(BACKLOG)}, ${String(ROUNDS)} rounds`);
  console.log(HEADING);
  console.log(row('bare eachBatch, records/s', perSecond('bare'), 0));
  console.log(row('Nest transport, records/s', perSecond('nestTransport'), 0));
  console.log(row('ours, records/s', perSecond('ours'), 0));
  console.log(row('ours / bare', against('bare'), 2));
  console.log(row('ours / Nest transport', against('nestTransport'), 2));
}

async function slowHandlers(backlog: Backlog): Promise<void> {
  const ceilingMs = (SLOW.records / SLOW.concurrency) * SLOW.workMs;
  const shares: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    shares.push(ceilingMs / (await time('ours', backlog, SLOW)));
  }
  console.log(`\nslow handlers ${JSON.stringify(SLOW)}`);
  console.log(HEADING);
  console.log(row(`share of the ceiling (${String(ceilingMs)} ms)`, shares, 3));
}

const broker = await KafkaBroker.start();
try {
  const { brokers } = broker;
  const fast = { ...BACKLOG, brokers, topic: 'bench.fast' };
  const slow = { ...SLOW, brokers, topic: 'bench.slow' };
  await writeBacklog(fast);
  await writeBacklog(slow);
  console.log(`Node ${process.version}, ${String(cpus().length)} × ${cpus()[0]?.model ?? '?'}`);
  await backlogRatios(fast);
  await slowHandlers(slow);
} finally {
  await broker.stop();
}
