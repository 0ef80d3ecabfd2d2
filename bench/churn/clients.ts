/**
 * All clients of a churn, in a process of their own: what kafkajs keeps is not the broker's.
 *
 * Tells its parent of its progress, and when told to finish, how it came out.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import kafkajs from 'kafkajs';
import { eventually } from '../../test/support/eventually.js';
import { seededRandom } from '../../test/support/seeded-random.js';
import { Auditor } from './auditor.js';
import { Ledger } from './ledger.js';
import { Reader, visit } from './readers.js';
import { AUDITOR, GROUPS, TOPICS } from './scene.js';
import { Tally } from './tally.js';
import { produce, transact, type Writing } from './writers.js';

const { Kafka, logLevel, Partitioners } = kafkajs;

/** Sent every so often; the last one is `finished`. */
export interface Progress {
  readonly finished: boolean;
  readonly done: Readonly<Record<string, number>>;
  readonly failed: Readonly<Record<string, number>>;
  /** Of all lives, how many kafkajs did not end. */
  readonly stuck: number;
  readonly longestPausesMs: Readonly<Record<string, number>>;
  readonly acknowledged: number;
  /** Empty until all is finished. */
  readonly problems: readonly string[];
}

const MEMBERS = 3;
/** Lives take a few seconds. Now and then `disconnect` of a kafkajs consumer does not come back. */
const LONGEST_LIFE_MS = 30_000;
const PROGRESS_EVERY_MS = 500;
/** Once nobody troubles it any more, a group is back well before. */
const CATCH_UP_MS = 30_000;

const [brokers = '', seed = '1'] = process.argv.slice(2);
const ledger = new Ledger();
const tally = new Tally();
const ending = new AbortController();
const random = seededRandom(Number(seed));
const topics = TOPICS.map(({ topic }) => topic);

/** A client of its own each time: clients of one `Kafka` share what they know of the cluster. */
function newKafka() {
  return new Kafka({
    brokers: brokers.split(','),
    logLevel: logLevel.NOTHING,
    requestTimeout: 5_000,
    retry: { retries: 20, initialRetryTime: 50, maxRetryTime: 500 },
  });
}

function newWriting(to: Writing['topics'] = TOPICS): Writing {
  return { kafka: newKafka(), ledger, random, topics: to };
}

async function stay(groupId: string): Promise<void> {
  const onRead = () => {
    tally.hasRead(groupId);
  };
  const reader = await Reader.join({ kafka: newKafka(), groupId, topics, onRead });
  await sleep(500 + 4_000 * random());
  await reader.leave();
}

/** One life after the other, until the end. */
async function repeat(name: string, life: () => Promise<void>): Promise<void> {
  while (!ending.signal.aborted) {
    try {
      if (await endsInTime(life())) tally.count(name);
      else tally.stuck++;
    } catch (error) {
      tally.countFailure(name, error);
      await sleep(100);
    }
  }
}

async function endsInTime(life: Promise<void>): Promise<boolean> {
  const deadline = new AbortController();
  const late = sleep(LONGEST_LIFE_MS, false, { signal: deadline.signal });
  try {
    return await Promise.race([life.then(() => true), late]);
  } finally {
    deadline.abort();
    late.catch(() => undefined);
  }
}

async function audit(): Promise<Auditor> {
  tally.expectReads(AUDITOR);
  const onRead = (id: number) => {
    tally.hasRead(AUDITOR);
    ledger.read(id);
  };
  return await Auditor.join({ brokers: brokers.split(','), topics, onRead });
}

/** Writes to every partition, when all trouble is over; each group has to get that. */
async function problemsOf(groupId: string): Promise<string[]> {
  const awaited = new Set<number>();
  const onRead = (id: number) => awaited.delete(id);
  const reader = await Reader.join({ kafka: newKafka(), groupId, topics, onRead });
  const producer = newKafka().producer({ createPartitioner: Partitioners.DefaultPartitioner });
  await producer.connect();
  for (const { topic, partitions } of TOPICS) {
    for (let partition = 0; partition < partitions; partition++) {
      const [id = 0] = ledger.newIds(1);
      awaited.add(id);
      await producer.send({ topic, messages: [{ partition, value: String(id) }] });
      ledger.acknowledged([id]);
    }
  }
  await producer.disconnect();
  const isDone = await passes(() => awaited.size === 0);
  await reader.leave();
  return isDone ? [] : [`${groupId} does not get ${String(awaited.size)} records after the churn`];
}

function passes(condition: () => boolean): Promise<boolean> {
  return eventually(condition, { timeoutMs: CATCH_UP_MS }).catch(() => false);
}

function progress(finished: boolean, problems: readonly string[]): Progress {
  const { done, failed, stuck, longestPausesMs } = tally;
  return {
    finished,
    done,
    failed,
    stuck,
    longestPausesMs,
    acknowledged: ledger.promised,
    problems,
  };
}

function tell(message: Progress): void {
  process.send?.(message);
}

process.once('disconnect', () => process.exit(1));
process.once('message', () => {
  ending.abort();
});

const auditor = await audit();
for (const groupId of GROUPS) tally.expectReads(groupId);
const telling = setInterval(() => {
  tell(progress(false, []));
}, PROGRESS_EVERY_MS);
await Promise.all([
  repeat('producer', () => produce(newWriting())),
  repeat('producer', () => produce(newWriting())),
  repeat('idempotent producer', () => produce(newWriting(), { idempotent: true })),
  repeat('idempotent producer', () => produce(newWriting(), { idempotent: true })),
  // No two in one topic: of aborted transactions that overlap, kafkajs hands out records.
  ...TOPICS.map((one) =>
    repeat('transactional producer', () => transact(newWriting([one]), `${one.topic}-writer`)),
  ),
  repeat('visit', () => visit(newKafka(), 'visit')),
  ...GROUPS.flatMap((groupId) =>
    Array.from({ length: MEMBERS }, () => repeat('member', () => stay(groupId))),
  ),
]);
clearInterval(telling);
const { longestPausesMs } = tally;
const stalled = (await Promise.all(GROUPS.map(problemsOf))).flat();
await passes(() => ledger.missing.length === 0);
await auditor.leave();
const { missing, ghosts } = ledger;
tell({
  ...progress(true, [
    ...stalled,
    ...(missing.length > 0 ? [`${String(missing.length)} acknowledged records are missing`] : []),
    ...(ghosts.length > 0
      ? [
          `${String(ghosts.length)} records of aborted transactions: ${ghosts.slice(0, 5).join(' ')}`,
        ]
      : []),
  ]),
  longestPausesMs,
});
process.disconnect();
process.exit(0);
