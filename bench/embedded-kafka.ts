/**
 * `npm run bench:embedded`: how fast the embedded Kafka is beside a real one, seen by bare kafkajs.
 *
 * Both brokers are up, every run has a client process of its own, rounds are interleaved: on a
 * machine that others use too, only the ratio of two runs of one round says something. The embedded
 * broker is measured in a process of its own, and in the client's, where it shares the event loop.
 */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpus } from 'node:os';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';

import { KafkaBroker } from '../test/support/kafka-broker.js';
import { HEADING, median, row } from './figures.js';
import type { Load, Times } from './throughput.js';

const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 5);
const LOAD = { records: 300_000, valueBytes: 290, batch: 500, partitions: 6, inFlight: 4 };
/** What the embedded broker must reach of the real one's throughput. */
const TARGET = 0.5;

const run = promisify(execFile);
const program = (file: string) => [
  ...['--import', '@swc-node/register/esm-register'],
  new URL(file, import.meta.url).pathname,
];

const CONTENDERS = ['real', 'embedded', 'inProcess'] as const;
type Contender = (typeof CONTENDERS)[number];
type Runs = Readonly<Record<Contender, Times[]>>;

async function startEmbedded() {
  const child = spawn(process.execPath, program('embedded-broker.ts'), {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
  const stop = async () => {
    const exited = once(child, 'exit');
    child.stdin.end();
    await exited;
  };
  return { brokers: JSON.parse(line) as string[], stop };
}

async function time(contender: Contender, round: number, brokers: readonly string[]) {
  const load: Load = { ...LOAD, brokers, topic: `bench.${contender}.${String(round)}` };
  const { stdout } = await run(
    process.execPath,
    [...program('throughput.ts'), JSON.stringify(load)],
    // kafkajs retries otherwise when NODE_ENV is "test".
    { env: { ...process.env, NODE_ENV: 'development' } },
  );
  return JSON.parse(stdout) as Times;
}

function print(direction: keyof Times, runs: Runs): number[] {
  const perSecond = (contender: Contender) =>
    runs[contender].map((times) => (LOAD.records / times[direction]) * 1000);
  const ratios = (contender: Contender) => {
    const ours = perSecond(contender);
    return perSecond('real').map((real, round) => (ours[round] ?? Number.NaN) / real);
  };
  console.log(`\n${direction === 'produceMs' ? 'produce' : 'consume'}, records/s`);
  console.log(HEADING);
  console.log(row('real Kafka 4.1', perSecond('real'), 0));
  console.log(row('embedded, own process', perSecond('embedded'), 0));
  console.log(row('embedded, client’s process', perSecond('inProcess'), 0));
  console.log(row('own process / real', ratios('embedded'), 2));
  console.log(row('client’s process / real', ratios('inProcess'), 2));
  return [median(ratios('embedded')), median(ratios('inProcess'))];
}

const real = await KafkaBroker.start();
const embedded = await startEmbedded();
try {
  const brokersOf = { real: real.brokers, embedded: embedded.brokers, inProcess: [] };
  const runs: Runs = { real: [], embedded: [], inProcess: [] };
  for (let round = 0; round < ROUNDS; round++) {
    for (const contender of CONTENDERS) {
      runs[contender].push(await time(contender, round, brokersOf[contender]));
    }
  }
  console.log(`Node ${process.version}, ${String(cpus().length)} × ${cpus()[0]?.model ?? '?'}`);
  console.log(`${JSON.stringify(LOAD)}, acks -1, ${String(ROUNDS)} rounds, ratios within a round`);
  const ratios = [...print('produceMs', runs), ...print('consumeMs', runs)];
  const reached = ratios.every((ratio) => ratio >= TARGET);
  console.log(`\n${reached ? 'reached' : 'MISSED'}: at least ${String(TARGET)} of real Kafka`);
  if (!reached) process.exitCode = 1;
} finally {
  await embedded.stop();
  await real.stop();
}
