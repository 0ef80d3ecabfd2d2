import { setTimeout as sleep } from 'node:timers/promises';
import { TestProcess } from '../support/child-process.js';
import { committedOffsets, createEventTopic, endOffsets } from '../support/event-topic.js';
import { eventually } from '../support/eventually.js';
import type { KafkaCluster } from '../support/kafka-cluster.js';
import { startRedis } from '../support/real-redis.js';
import { uniqueName } from '../support/unique-topic.js';
import { audit, type Audit } from './auditor.js';
import type { ConsumerSetup } from './consumer.child.js';
import { keepEvidence } from './evidence.js';
import { isPoison } from './fate.js';
import { Fleet } from './fleet.js';
import { GroupWatch } from './group-watch.js';
import { inflict, type Arena } from './inflict.js';
import { Ledger, type LedgerEntry } from './ledger.js';
import { fateOf } from './load.js';
import { longestPauses, pausesIn, type Happened, type Pause } from './progress.js';
import type { ProducerSetup } from './producer.child.js';
import { CONSUMERS, PRODUCERS } from './scenarios.js';
import type { FaultKind, PlannedFault, Schedule } from './schedule.js';
import { readDeadLetters, readEvents } from './stored-topic.js';
import { trendsOf, vitalsIn, type Trend } from './vitals.js';

const CONSUMER = 'test/chaos/consumer.child.ts';
const PRODUCER = 'test/chaos/producer.child.ts';

const START_MS = 120_000;
const ACKNOWLEDGE_MS = 60_000;
/** For what waits when the faults are over. */
const DRAIN_MS = 300_000;
const LEAST_PAUSE_MS = 100;

export interface Outcome extends Audit {
  /** What the processes should not have done. */
  readonly failures: readonly string[];
  /** When the faults began, on the clock of the ledger. */
  readonly startedAt: number;
  readonly happened: readonly HappenedFault[];
  readonly pauses: readonly Pause[];
  /** Milliseconds, by kind of fault. */
  readonly longestPauses: ReadonlyMap<string, number>;
  /** Processes that ended by themselves and were started again. */
  readonly restarts: number;
  readonly moves: { readonly rebalances: number; readonly moved: number; readonly minimum: number };
  /** From the end of the faults until everything was committed. */
  readonly drainMs: number;
  /** Of the processes that were spared: how they aged. */
  readonly aged: readonly { readonly name: string; readonly trends: readonly Trend[] }[];
  readonly ledger: readonly LedgerEntry[];
  /** Where everything that was written lies, if there was anything to complain of. */
  readonly evidence: string | null;
}

export interface RunOptions {
  /** Told what happens while it happens. */
  readonly tell?: (line: string) => void;
  /** Keep the evidence of a good run, too. @default false */
  readonly keep?: boolean;
}

export interface HappenedFault extends Happened {
  readonly kind: FaultKind;
}

/**
 * Plays a schedule on a cluster that was started for `CONSUMERS` and `PRODUCERS`, lets what is left
 * come to its end, and has it audited. What it starts is registered for cleaning up.
 *
 *     processes, load ─ faults ─ all is well again ─ acknowledged ─ committed to the end ─ all leave ─ read, audited
 *
 * Throws only when the experiment itself fails: processes that never work, a cluster that does not heal.
 */
export async function runSchedule(
  schedule: Schedule,
  cluster: KafkaCluster,
  { tell = () => undefined, keep = false }: RunOptions = {},
): Promise<Outcome> {
  const { load, partitions } = schedule;
  const topic = await createEventTopic(cluster.brokers, partitions);
  const redis = await startRedis();
  const ledger = await Ledger.open();
  const groupId = uniqueName('group');

  const consumers = CONSUMERS.slice(0, schedule.consumers);
  const fleet = new Fleet(
    consumers,
    (name) => {
      const { brokers } = cluster.client(name);
      const setup: ConsumerSetup = {
        ...{ name, brokers, topic, groupId, redis: redis.address, ledgerPort: ledger.port },
      };
      return TestProcess.start(CONSUMER, { args: [JSON.stringify(setup)] });
    },
    schedule.spared,
  );
  const producers = PRODUCERS.slice(0, load.producers).map((name, index) => {
    const { brokers } = cluster.client(name);
    const setup: ProducerSetup = {
      ...{ name, index, brokers, topic, ledgerPort: ledger.port, load },
    };
    return TestProcess.start(PRODUCER, { args: [JSON.stringify(setup)] });
  });
  const arena: Arena = {
    ...{ cluster, fleet, redis, ledger },
    clients: [...consumers, ...PRODUCERS.slice(0, load.producers)],
    topics: [topic, `${topic}.dlq`],
  };

  await fleet.gather();
  await eventually(() => ledger.count('effect') > 0, {
    timeoutMs: START_MS,
    message: 'the first effect',
  });
  const watch = new GroupWatch(cluster.brokers, groupId, partitions);
  const startedAt = performance.now();
  const happened = await inflictAll(arena, schedule, tell);

  tell('the faults are over');
  const overAt = performance.now();
  for (const producer of producers) producer.send('stop');
  await Promise.all(producers.map((each) => each.waitForLine('all acknowledged', ACKNOWLEDGE_MS)));
  const drained = await committedToTheEnd(cluster.brokers, groupId, topic);
  const drainMs = performance.now() - overAt;
  tell(`committed to the end after ${seconds(drainMs)}`);
  await watch.stop();
  await fleet.disband();

  const isHandled = (eventId: string): boolean => !isPoison(fateOf(load, eventId));
  const pauses = pausesIn(ledger.entries, isHandled, LEAST_PAUSE_MS);
  const stored = {
    records: await readEvents(cluster.brokers, topic),
    deadLetters: await readDeadLetters(cluster.brokers, `${topic}.dlq`),
  };
  const judged = audit({
    ...stored,
    ledger: ledger.entries,
    fateOf: (eventId) => fateOf(load, eventId),
  });
  const failures = [...fleet.failures, ...drained];
  const isBad = failures.length > 0 || Object.values(judged.violations).flat().length > 0;
  await ledger.close();
  return {
    ...judged,
    ...{ failures, startedAt, happened, pauses, drainMs, restarts: fleet.restarts },
    longestPauses: longestPauses(pauses, happened),
    moves: watch,
    aged: fleet.members.slice(0, schedule.spared ?? 0).map(({ name, processes }) => ({
      name,
      trends: trendsOf(processes.flatMap(({ lines }) => vitalsIn(lines))),
    })),
    ledger: ledger.entries,
    evidence:
      isBad || keep ? await keepEvidence({ ...stored, schedule, happened, ledger, fleet }) : null,
  };
}

/** Every track by itself; resolves when all faults are undone and the time is up. */
async function inflictAll(
  arena: Arena,
  { tracks, durationMs }: Schedule,
  tell: (line: string) => void,
): Promise<HappenedFault[]> {
  const startedAt = performance.now();
  const happened: HappenedFault[] = [];
  const until = async (atMs: number): Promise<void> => {
    await sleep(Math.max(0, startedAt + atMs - performance.now()));
  };
  const follow = async (track: readonly PlannedFault[]): Promise<void> => {
    for (const fault of track) {
      await until(fault.atMs);
      // One that others have held up for too long would outlast the run.
      if (performance.now() - startedAt > durationMs) return;
      const from = performance.now();
      tell(`${seconds(from - startedAt)} ${fault.kind} (${fault.target}) for ${fault.lastsMs} ms`);
      await inflict(arena, fault);
      happened.push({ kind: fault.kind, from, to: performance.now() });
    }
  };
  await Promise.all([...tracks.map(follow), until(durationMs)]);
  return happened;
}

async function committedToTheEnd(
  brokers: string[],
  groupId: string,
  topic: string,
): Promise<string[]> {
  const ends = await endOffsets(brokers, topic);
  try {
    await eventually(
      async () => {
        const committed = await committedOffsets(brokers, groupId, topic);
        if (ends.every((end, i) => Math.max(0, committed[i] ?? 0) === end)) return true;
        throw new Error(`committed ${committed.join()}, the topic ends at ${ends.join()}`);
      },
      { timeoutMs: DRAIN_MS, intervalMs: 200, message: 'the group at the end of its topic' },
    );
    return [];
  } catch (error) {
    return [error instanceof Error ? error.message : String(error)];
  }
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
