/**
 * `npm run bench:hot-keys`: what a hot key does to all others, and how fast slow handlers are in one
 * partition, beside Confluent's Parallel Consumer where Maven and a JDK are at hand.
 *
 * Latencies are from a record's timestamp, which its producer gives it as it sends it, until its handler
 * has succeeded. Records arrive at a steady rate, far below what so many handlers can take. The hottest
 * of Zipf's keys gets 13 % of them, one after another: at 500 a second it can just take them, at 1,000 it
 * falls behind for as long as that lasts. Cold keys are all but the ten hottest. One consumer at a time, in a process of its own;
 * nothing else should be running.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

import { KafkaBroker } from '../../test/support/kafka-broker.js';
import { writeBacklog } from '../backlog.js';
import { parallelConsumer, type Command } from '../parallel-consumer/parallel-consumer.js';
import { ratios, report, type Measured, type Table } from '../report.js';
import type { HotKeyResult, HotKeyTask } from './consumer.js';
import { checkDistribution, keysOf, type Distribution } from './key-distribution.js';
import { SteadyProducer } from './steady-producer.js';

const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 1);
/** For smoke runs: the share of records that are written. */
const SCALE = Number(process.env.BENCH_SCALE ?? 1);

interface Scene {
  readonly perSecond: number;
  readonly partitions: number;
}

const STEADY = { seconds: 8, keys: 1_000, workMs: 10, concurrency: 100 };
const FAIL_EVERY = 100;
/** Until processes have warmed up, its records do not count. */
const WARM_UP_SECONDS = 2;
const HOT_KEYS = 10;
const SCENES: readonly Scene[] = [
  { perSecond: 500, partitions: 1 },
  { perSecond: 1_000, partitions: 1 },
  { perSecond: 1_000, partitions: 6 },
];
const DISTRIBUTIONS: readonly Distribution[] = ['uniform', 'Zipf'];

const BACKLOG = { partitions: 1, keys: 1_000, concurrency: 100 };
/** By how long a handler takes, in milliseconds. */
const BACKLOGS = [
  { workMs: 10, records: 10_000 },
  { workMs: 1, records: 50_000 },
] as const;

interface Contender {
  readonly name: string;
  readonly commandFor: (task: HotKeyTask) => Command;
}

const source = new URL('consumer.ts', import.meta.url).pathname;
const OURS: Contender = {
  name: 'ours',
  commandFor: (task) => [
    process.execPath,
    ['--import', '@swc-node/register/esm-register', source, JSON.stringify(task)],
  ],
};

let runs = 0;

/** Runs a consumer, and what is to be done once it has its partitions. */
async function run(
  { commandFor }: Contender,
  task: Omit<HotKeyTask, 'groupId'>,
  whenReady: () => Promise<void> = () => Promise.resolve(),
): Promise<HotKeyResult> {
  const [program, args] = commandFor({ ...task, groupId: `bench-${String(++runs)}` });
  const consumer = spawn(program, args, {
    stdio: ['ignore', 'pipe', 'inherit'],
    // kafkajs retries otherwise when NODE_ENV is "test".
    env: { ...process.env, NODE_ENV: 'development' },
  });
  const exited = once(consumer, 'exit');
  try {
    let last = '';
    for await (const line of createInterface({ input: consumer.stdout })) {
      if (line === 'ready') await whenReady();
      last = line;
    }
    return JSON.parse(last) as HotKeyResult;
  } finally {
    consumer.kill('SIGKILL');
    await exited;
  }
}

interface Percentiles {
  readonly cold: number;
  readonly hottest: number;
}

async function steady(
  brokers: readonly string[],
  contender: Contender,
  { perSecond, partitions }: Scene,
  distribution: Distribution,
  seed: number,
): Promise<Percentiles> {
  const { seconds, keys: count, workMs, concurrency } = STEADY;
  const records = Math.ceil((seconds + WARM_UP_SECONDS) * perSecond * SCALE);
  const keys = keysOf(distribution, { records, keys: count, seed });
  const topic = `bench.steady-${String(runs)}`;
  const producer = new SteadyProducer(brokers, topic);
  await producer.prepare(partitions);
  const task = { brokers, topic, records, workMs, concurrency, failEvery: FAIL_EVERY };
  const { latencies } = await run(contender, task, () => producer.produce(keys, perSecond));
  await producer.close();
  const handled = latencies.map(([key]) => key);
  checkDistribution(distribution, handled, count);
  const warm = latencies.filter(([, , record]) => record >= WARM_UP_SECONDS * perSecond * SCALE);
  return {
    cold: p99(warm.filter(([key]) => key >= HOT_KEYS).map(([, ms]) => ms)),
    hottest: p99(warm.filter(([key]) => key === 0).map(([, ms]) => ms)),
  };
}

function p99(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.ceil(sorted.length * 0.99) - 1] ?? Number.NaN;
}

async function hotKeysTable(
  brokers: readonly string[],
  contenders: readonly Contender[],
): Promise<Table> {
  const rows: Measured[] = [];
  for (const scene of SCENES) {
    for (const contender of contenders) {
      const found = new Map<Distribution, Percentiles[]>();
      for (let round = 0; round < ROUNDS; round++) {
        for (const distribution of DISTRIBUTIONS) {
          const percentiles = await steady(brokers, contender, scene, distribution, round);
          found.set(distribution, [...(found.get(distribution) ?? []), percentiles]);
        }
      }
      const of = (distribution: Distribution) => found.get(distribution) ?? [];
      const [uniform, zipf] = [of('uniform'), of('Zipf')].map((all) => all.map(({ cold }) => cold));
      if (uniform === undefined || zipf === undefined) continue;
      const { perSecond, partitions } = scene;
      const name = `${contender.name}, ${String(perSecond)}/s, ${String(partitions)} partition(s)`;
      rows.push(
        { name: `${name}: p99 of uniform keys, ms`, values: uniform, digits: 0 },
        { name: `${name}: p99 of cold keys beside hot ones, ms`, values: zipf, digits: 0 },
        { name: `${name}: cold / uniform`, values: ratios(zipf, uniform), digits: 2 },
        {
          name: `${name}: p99 of the hottest key, ms`,
          values: of('Zipf').map(({ hottest }) => hottest),
          digits: 0,
        },
      );
    }
  }
  const conditions = {
    ...STEADY,
    failing: `1 in ${String(FAIL_EVERY)}`,
    scale: SCALE,
    rounds: ROUNDS,
  };
  return { title: 'Hot keys', conditions, rows };
}

async function backlogTable(
  brokers: readonly string[],
  contenders: readonly Contender[],
): Promise<Table> {
  const rounds = ROUNDS * 3;
  const rows: Measured[] = [];
  for (const { workMs, records: all } of BACKLOGS) {
    // In whole batches of what writes them.
    const records = Math.ceil((all * SCALE) / 500) * 500;
    const topic = `bench.backlog-${String(workMs)}`;
    await writeBacklog({ brokers, topic, records, ...BACKLOG });
    const task = {
      brokers,
      topic,
      records,
      workMs,
      concurrency: BACKLOG.concurrency,
      failEvery: 0,
    };
    const rates = contenders.map((): number[] => []);
    for (let round = 0; round < rounds; round++) {
      for (const [i, contender] of contenders.entries()) {
        const { ms } = await run(contender, task);
        rates[i]?.push((records / ms) * 1000);
      }
    }
    const ceiling = (BACKLOG.concurrency * 1000) / workMs;
    rows.push(
      ...contenders.flatMap(({ name }, i): Measured[] => {
        const values = rates[i] ?? [];
        const of = `${name}, ${String(workMs)} ms handlers`;
        return [
          { name: `${of}, records/s`, values, digits: 0 },
          {
            name: `${of}: share of the ceiling`,
            values: ratios(
              values,
              values.map(() => ceiling),
            ),
            digits: 2,
          },
        ];
      }),
    );
  }
  return {
    title: 'A backlog in one partition',
    conditions: { ...BACKLOG, scale: SCALE, rounds },
    rows,
  };
}

async function contendersAtHand(): Promise<Contender[]> {
  try {
    return [OURS, { name: 'Parallel Consumer', commandFor: await parallelConsumer() }];
  } catch (error) {
    process.stderr.write(`without Parallel Consumer: ${String(error)}\n`);
    return [OURS];
  }
}

const contenders = await contendersAtHand();
const broker = await KafkaBroker.start();
try {
  const { brokers } = broker;
  await report([await hotKeysTable(brokers, contenders), await backlogTable(brokers, contenders)]);
} finally {
  await broker.stop();
}
