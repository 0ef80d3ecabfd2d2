/**
 * `npm run bench:publish`: how fast we publish beside bare kafkajs, with equal records.
 *
 * One broker, every run in a process of its own, rounds interleaved; what counts are the ratios
 * within this one run. Nothing else should be running.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

import { KafkaBroker } from '../test/support/kafka-broker.js';
import { withAdmin } from '../test/support/unique-topic.js';
import type { PublishResult, PublishTask } from './publishers.js';
import { ratios, report, type Measured, type Table } from './report.js';

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

const NAMES: Readonly<Record<PublishTask['publisher'], string>> = {
  bareSend: 'bare send',
  bareBatches: 'bare batches of 500',
  ours: 'ours',
};

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

function tableOf(results: ReadonlyMap<string, readonly PublishResult[]>): Table {
  const of = (...key: Run) => results.get(String(key)) ?? [];
  const rates = (...key: Run) => of(...key).map(({ perSecond }) => perSecond);
  const p50s = (...key: Run) => of(...key).map(({ p50Ms }) => p50Ms);
  const rate = (name: string, ...key: Run): Measured => ({
    name: `${name}, ${String(key[1])} callers, events/s`,
    values: rates(...key),
    digits: 0,
  });
  const ratio = (name: string, one: Run, other: Run): Measured => ({
    name,
    values: ratios(rates(...one), rates(...other)),
    digits: 2,
  });
  const p50 = (name: string, ...key: Run): Measured => ({ name, values: p50s(...key), digits: 2 });
  return {
    title: 'Publishing',
    conditions: { acks: -1, compression: 'gzip', partitions: PARTITIONS, rounds: ROUNDS },
    rows: [
      ...RUNS.map(([publisher, callers]) => rate(NAMES[publisher], publisher, callers)),
      ratio('512 callers: ours / bare batches', ['ours', 512], ['bareBatches', 512]),
      ratio('512 callers: ours / bare send', ['ours', 512], ['bareSend', 512]),
      ratio('64 callers: ours / bare send', ['ours', 64], ['bareSend', 64]),
      p50('lone publish, bare p50, ms', 'bareSend', 1),
      p50('lone publish, ours p50, ms', 'ours', 1),
    ],
  };
}

const broker = await KafkaBroker.start();
try {
  const { brokers } = broker;
  await withAdmin(brokers, (admin) =>
    admin.createTopics({ topics: [{ topic: TOPIC, numPartitions: PARTITIONS }] }),
  );
  const results = new Map<string, PublishResult[]>();
  for (let round = 0; round < ROUNDS; round++) {
    for (const each of RUNS) {
      const result = await publish(brokers, each);
      results.set(String(each), [...(results.get(String(each)) ?? []), result]);
    }
  }
  await report([tableOf(results)]);
} finally {
  await broker.stop();
}
