/**
 * `npm run soak:embedded -- --minutes 10`: an embedded Kafka whose clients come and go while it is
 * troubled in every way its API offers. Fails when its process keeps what it should not, or when
 * its clients miss what they were promised.
 *
 * All clients are kafkajs in a process of their own, so that this process is the broker's alone.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { EmbeddedKafka } from '../lib/testing/index.js';
import { eventually } from '../test/support/eventually.js';
import { seededRandom } from '../test/support/seeded-random.js';
import type { Progress } from './churn/clients.js';
import {
  growthOf,
  inMib,
  measureFootprint,
  openResources,
  type Footprint,
} from './churn/footprint.js';
import { AUDITOR, GROUPS, RETENTION_BYTES, TOPICS } from './churn/scene.js';
import { Troubles } from './churn/troubles.js';

const MIB = 1024 * 1024;

/**
 * What the heap may grow by. While the logs fill it grows by 2 MiB, since every batch is an object,
 * and then goes up and down by 0.3 MiB with the members and requests of the moment. A minute makes
 * over 1,000 connections and 200 members: what keeps a kilobyte of each shows within some minutes.
 */
const HEAP_TOLERANCE = 2.5 * MIB;
/** What buffers may grow by: the logs may not be full yet in the first third. */
const BUFFER_TOLERANCE =
  MIB + RETENTION_BYTES * TOPICS.reduce((sum, { partitions }) => sum + partitions, 0);
/** A session, a rebalance and a few attempts of kafkajs, one after the other. */
const LONGEST_PAUSE_MS = 25_000;
/** What part of its clients kafkajs may fail to end; a broker that does not answer makes it fail. */
const STUCK_TOLERANCE = 0.01;
/** For clients to finish, catch up and disconnect. */
const FINISH_MS = 90_000;

const { values: options } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    seconds: { type: 'string' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
  },
});
const durationMs = Number(options.seconds ?? Number(options.minutes) * 60) * 1000;
const everyMs = Math.min(5_000, durationMs / 12);

const kafka = await EmbeddedKafka.start({
  brokers: 3,
  topics: TOPICS.map((topic) => ({
    ...topic,
    configs: { 'retention.bytes': String(RETENTION_BYTES) },
  })),
});
const clients = fork(
  new URL('churn/clients.ts', import.meta.url),
  [kafka.brokers.join(','), options.seed],
  // kafkajs retries otherwise when NODE_ENV is "test".
  {
    execArgv: ['--import', '@swc-node/register/esm-register'],
    env: { ...process.env, NODE_ENV: 'development' },
  },
);
const gone = once(clients, 'exit');
let last: Progress | undefined;
clients.on('message', (message) => {
  last = message as Progress;
});

console.log(`seed ${options.seed}, ${String(durationMs / 1000)} s`);
const troubles = new Troubles(kafka, seededRandom(Number(options.seed)));
const footprints = await churn();
const problems = [...(await finish()), ...judge(footprints)];
console.log(JSON.stringify({ clients: last, troubles: troubles.made }, null, 2));
for (const problem of problems) console.log(`PROBLEM: ${problem}`);
console.log(problems.length === 0 ? 'nothing is left, nothing is missing' : 'FAILED');
process.exitCode = problems.length === 0 ? 0 : 1;

async function churn(): Promise<readonly Footprint[]> {
  const end = AbortSignal.timeout(durationMs);
  const troubled = troubles.makeUntil(end);
  const measured: Footprint[] = [];
  while (!end.aborted) {
    await sleep(everyMs);
    // The log of requests is bounded, but goes up and down by megabytes.
    kafka.clearRequests();
    const footprint = await measureFootprint();
    measured.push(footprint);
    report(footprint);
  }
  await troubled;
  return measured;
}

function report({ heapBytes, bufferBytes, rssBytes, ...open }: Footprint): void {
  console.log(
    [
      `heap ${inMib(heapBytes)}, buffers ${inMib(bufferBytes)}, rss ${inMib(rssBytes)}`,
      `${String(open.sockets)} sockets, ${String(open.timers)} timers`,
      ...describeGroups(),
      `${String(last?.acknowledged ?? 0)} records acknowledged`,
    ].join('; '),
  );
}

function describeGroups(): string[] {
  const groups = [AUDITOR, ...GROUPS].map((groupId) => kafka.group(groupId));
  const members = groups.reduce((sum, group) => sum + (group?.members.length ?? 0), 0);
  const states = groups.map((group) => group?.state ?? 'none').join(' ');
  return [`${String(members)} members`, states];
}

/** First the clients end, then the broker; after each, what it leaves is looked at. */
async function finish(): Promise<string[]> {
  if (clients.connected) clients.send('finish');
  const impatience = setTimeout(() => clients.kill('SIGKILL'), FINISH_MS);
  const telling = setInterval(() => {
    console.log(['finishing', ...describeGroups()].join('; '));
  }, everyMs);
  await gone;
  clearTimeout(impatience);
  clearInterval(telling);
  const afterClients = await leftOver({ listeners: 3 }, 'its clients have gone');
  await kafka.stop();
  return [...afterClients, ...(await leftOver({ listeners: 0 }, 'it was stopped'))];
}

/** Sessions and transactions of vanished clients end by their timeouts. */
async function leftOver({ listeners }: { listeners: number }, when: string): Promise<string[]> {
  const expected = JSON.stringify({ sockets: 0, listeners, timers: 0 });
  return eventually(() => JSON.stringify(openResources()) === expected, { timeoutMs: 15_000 }).then(
    () => [],
    () => [`${JSON.stringify(openResources())} after ${when}`],
  );
}

function judge(measured: readonly Footprint[]): string[] {
  const problems = [...(last?.problems ?? [])];
  if (last?.finished !== true) {
    const ended = String(clients.exitCode ?? clients.signalCode);
    problems.push(`the clients did not finish: ${ended}`);
  }
  for (const kind of [
    'producer',
    'idempotent producer',
    'transactional producer',
    'member',
    'visit',
  ]) {
    if (!last?.done[kind]) problems.push(`not one ${kind} came to its end`);
  }
  const lives = Object.values(last?.done ?? {}).reduce((sum, count) => sum + count, 0);
  if ((last?.stuck ?? 0) > 2 + STUCK_TOLERANCE * lives) {
    problems.push(`${String(last?.stuck)} clients never came to their end`);
  }
  for (const failure of Object.keys(last?.failed ?? {})) {
    if (!failure.includes('KafkaJS')) problems.push(`an error that is no broker’s: ${failure}`);
  }
  for (const [groupId, ms] of Object.entries(last?.longestPausesMs ?? {})) {
    if (ms > LONGEST_PAUSE_MS) problems.push(`${groupId} stalled for ${String(Math.round(ms))} ms`);
  }
  const heap = growthOf(measured.map(({ heapBytes }) => heapBytes));
  const buffers = growthOf(measured.map(({ bufferBytes }) => bufferBytes));
  console.log(`growth of the heap ${inMib(heap)}, of buffers ${inMib(buffers)}`);
  if (heap > HEAP_TOLERANCE) problems.push(`the heap grew by ${inMib(heap)}`);
  if (buffers > BUFFER_TOLERANCE) problems.push(`buffers grew by ${inMib(buffers)}`);
  return problems;
}
