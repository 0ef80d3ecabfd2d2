/**
 * `npm run chaos -- --seed 7 --minutes 15`: consumers and producers on a Kafka of three nodes, in which
 * everything breaks; fails when an event was lost, repeated, out of order or wrongly dead-lettered.
 *
 * `--scenario rebalance` or `outage`; `--schedule <file>` writes what a seed means, `--replay <file>`
 * plays it; `--keep` keeps ledger and logs of a good run, too.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { leaveFile, onCleanup } from '../support/cleanup.js';
import { KafkaCluster } from '../support/kafka-cluster.js';
import { describeOutcome, problemsOf } from './report.js';
import { runSchedule } from './run-schedule.js';
import { CONSUMERS, PRODUCERS, SCENARIOS } from './scenarios.js';
import type { Schedule } from './schedule.js';

const { values: options } = parseArgs({
  options: {
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    minutes: { type: 'string', default: '5' },
    scenario: { type: 'string', default: 'chaos' },
    schedule: { type: 'string' },
    replay: { type: 'string' },
    keep: { type: 'boolean', default: false },
  },
});

const schedule = await chooseSchedule();
if (options.schedule !== undefined) {
  await writeFile(options.schedule, `${JSON.stringify(schedule, null, 2)}\n`);
}
console.log(`${schedule.scenario}, seed ${schedule.seed}`);
try {
  const cluster = await KafkaCluster.start([...CONSUMERS, ...PRODUCERS]);
  onCleanup(() => cluster.stop());
  const outcome = await runSchedule(schedule, cluster, {
    tell: (line) => {
      console.log(`${(performance.now() / 1000).toFixed(1)} s: ${line}`);
    },
    keep: options.keep,
  });
  console.log(describeOutcome(schedule, outcome));
  process.exitCode = problemsOf(outcome).length === 0 ? 0 : 1;
} finally {
  await leaveFile();
}

async function chooseSchedule(): Promise<Schedule> {
  if (options.replay !== undefined) {
    return JSON.parse(await readFile(options.replay, 'utf8')) as Schedule;
  }
  const scenario = Object.entries(SCENARIOS).find(([name]) => name === options.scenario)?.[1];
  if (scenario === undefined) {
    throw new Error(`--scenario is one of ${Object.keys(SCENARIOS).join(', ')}`);
  }
  const [seed, minutes] = [Number(options.seed), Number(options.minutes)];
  if (!Number.isSafeInteger(seed)) throw new Error('--seed is a whole number');
  if (!(minutes > 0)) throw new Error('--minutes is a number above 0');
  return scenario(seed, minutes);
}
