/**
 * `npm run bench:publish`: how fast we publish beside bare kafkajs, with equal records.
 *
 * One broker, every run in a process of its own, rounds interleaved; what counts are the ratios
 * within this one run. Nothing else should be running.
 */
import { execFile } from 'node:child_process';
import { cpus } from 'node:os';
import { promisify } from 'node:util';

import { KafkaBroker } from '../test/support/kafka-broker.js';
import { withAdmin } from '../test/support/unique-topic.js';
import { HEADING, row } from './figures.js';
import type { PublishResult, PublishTask } from './publishers.js';

const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 7);
const PARTITIONS = 6;
const TOPIC = 'bench.publish';
/** Events per run, by how many callers publish at a time. */
const EVENTS = { 1: 2_000, 64: 30_000, 512: 100_000 } as const;

type Callers = keyof typeof EVENTS;
type Run = readonly [PublishTask['publisher'], Callers];
const RUNS: readonly Run[] = [
  ['bareSend', 1],
  ['ours', 1],
  ['bareSend', 64],
  ['ours', 64],
  ['bareSend', 512],
  ['bareBatches', 512],
  ['ours', 512],
];

const run = promisify(execFile);
const publishers = new URL('publishers.ts', import.meta.url).pathname;

async function publish(brokers: string[], [publisher, callers]: Run): Promise<PublishResult> {
  const task: PublishTask = { brokers, topic: TOPIC, publisher, callers, events: EVENTS[callers] };
  const node = ['--import', '@swc-node/register/esm-register', publishers, JSON.stringify(task)];
  const { stdout } = await run(process.execPath, node, {
    // kafkajs retries otherwise when NODE_ENV is "test".
    env: { ...process.env, NODE_ENV: 'development' },
  });
  return JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as PublishResult;
}

function report(results: ReadonlyMap<string, readonly PublishResult[]>): void {
  const of = (...key: Run) => results.get(String(key)) ?? [];
  const rates = (...key: Run) => of(...key).map(({ perSecond }) => perSecond);
  const p50s = (...key: Run) => of(...key).map(({ p50Ms }) => p50Ms);
  const ratio = (ours: readonly number[], bare: readonly number[]) =>
    ours.map((value, round) => value / (bare[round] ?? Number.NaN));
  console.log(
    `\n${String(ROUNDS)} rounds, acks -1, gzip, events per run ${JSON.stringify(EVENTS)}`,
  );
  console.log(HEADING);
  for (const key of RUNS) {
    console.log(row(`${key[0]}, ${String(key[1])} callers, events/s`, rates(...key), 0));
  }
  const ours = rates('ours', 512);
  console.log(row('512 callers: ours / bare batches', ratio(ours, rates('bareBatches', 512)), 2));
  console.log(row('512 callers: ours / bare send', ratio(ours, rates('bareSend', 512)), 2));
  console.log(
    row('64 callers: ours / bare send', ratio(rates('ours', 64), rates('bareSend', 64)), 2),
  );
  console.log(row('lone publish, bare p50, ms', p50s('bareSend', 1), 2));
  console.log(row('lone publish, ours p50, ms', p50s('ours', 1), 2));
}

const broker = await KafkaBroker.start();
try {
  const { brokers } = broker;
  await withAdmin(brokers, (admin) =>
    admin.createTopics({ topics: [{ topic: TOPIC, numPartitions: PARTITIONS }] }),
  );
  console.log(`Node ${process.version}, ${String(cpus().length)} × ${cpus()[0]?.model ?? '?'}`);
  const results = new Map<string, PublishResult[]>();
  for (let round = 0; round < ROUNDS; round++) {
    for (const each of RUNS) {
      const result = await publish(brokers, each);
      results.set(String(each), [...(results.get(String(each)) ?? []), result]);
    }
  }
  report(results);
} finally {
  await broker.stop();
}
