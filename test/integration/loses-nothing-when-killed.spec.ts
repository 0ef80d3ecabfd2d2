import { beforeAll, expect, it } from '@jest/globals';
import type { OutRecord } from '../../lib/kafka/records.js';
import { toError } from '../../lib/kafka-events.errors.js';
import { MemoryIdempotencyStore } from '../../lib/idempotency/memory-idempotency-store.js';
import { TestProcess } from '../support/child-process.js';
import { EffectLedger } from '../support/effect-ledger.js';
import {
  committedToTheEnd,
  createEventTopic,
  createSetAsideTopic,
  eventRecord,
} from '../support/event-topic.js';
import { headerOf, readWithKcat } from '../support/kcat.js';
import { driverFor, produce } from '../support/kafka-driver.js';
import { describeEachKafka } from '../support/each-kafka.js';
import { describeRealKafka } from '../support/real-kafka.js';
import { serveStore } from '../support/remote-store.js';
import { uniqueName } from '../support/unique-topic.js';
import type { CrashPoint, CrashSetup } from './loses-nothing-when-killed.child.js';

const SERVICE = 'test/integration/loses-nothing-when-killed.child.ts';

const PARTITIONS = 3;
const KEYS = 10;
const EVENTS = 120;
/** Every so many-th event is poison; prime to the keys, so that each of them gets some. */
const POISON = 7;
const SESSION_TIMEOUT_MS = 3000;
/** With retry topics, every so many-th fails the first time. */
const FLAKY = 3;
/** Crashes tried at once: more would only fight for the processor. */
const AT_A_TIME = 4;

const CRASH_POINTS: readonly CrashPoint[] = [
  'after the claim',
  'in the handler',
  'after the handler, before complete',
  'after complete, before settle',
  'before the commit',
  'during the commit',
  'after the commit, unheard',
  'after the DLQ acknowledgement',
];
const RETRY_CRASH_POINTS: readonly CrashPoint[] = [
  'after the retry topic acknowledgement',
  'after complete, before settle',
  'during the commit',
];
/**
 * In mid-stream: so much is done when it dies, and no more than so much. Before the second poison of
 * every key there are at most 91 effects, so that a lower limit could hold the last dead letters back.
 */
const [AFTER_EFFECTS, MAX_EFFECTS] = [40, 100];

const EVENT_IDS = Array.from({ length: EVENTS }, (_, i) => `event-${i}`);
const POISON_IDS = EVENT_IDS.filter((_, i) => i % POISON === POISON - 1);
const HEALTHY_IDS = EVENT_IDS.filter((id) => !POISON_IDS.includes(id));

interface CrashReport {
  /** Effects when the process was dead. */
  readonly effectsBefore: number;
  /** Events without an effect, or without a dead letter where they are poison. */
  readonly lost: number;
  readonly repeatedAfterComplete: number;
  readonly repeatedBeforeComplete: number;
  readonly deadLettersRepeated: number;
}

describeEachKafka('a service that is killed', (brokers) => {
  killedAtEveryPoint(brokers, '@EventHandler');
});

describeEachKafka('a service with retry topics that is killed', (brokers) => {
  killedAtEveryPoint(brokers, '@EventHandler', RETRY_CRASH_POINTS);
});

describeRealKafka('a service of @EventPattern controllers that is killed', (brokers) => {
  killedAtEveryPoint(brokers, '@EventPattern');
});

function killedAtEveryPoint(
  brokers: string[],
  handledBy: CrashSetup['handledBy'],
  crashPoints = CRASH_POINTS,
): void {
  const retries = crashPoints === RETRY_CRASH_POINTS;
  const driver = driverFor(brokers);
  const reports = new Map<string, CrashReport | Error>();

  // Side by side: a run spends most of its time waiting for the dead member's session to end.
  beforeAll(async () => {
    const points = [...crashPoints];
    const takeTurns = async (): Promise<void> => {
      for (let point = points.shift(); point !== undefined; point = points.shift()) {
        reports.set(point, await crashAndRecover(point).catch(toError));
      }
    };
    await Promise.all(Array.from({ length: AT_A_TIME }, takeTurns));
  }, 120_000);

  async function crashAndRecover(point: CrashPoint): Promise<CrashReport> {
    const topic = await createEventTopic(brokers, PARTITIONS);
    const ledger = await EffectLedger.create();
    const store = await serveStore(new MemoryIdempotencyStore(), ({ key, state }) => {
      if (state !== 'parked') ledger.add(`complete ${key.split('\0').at(-1) ?? ''}`);
    });
    const groupId = uniqueName('group');
    const retryTopic = `${topic}.${groupId}.retry`;
    if (retries) await createSetAsideTopic(brokers, retryTopic);
    await produce(
      driver,
      topic,
      EVENT_IDS.map((id, i) => orderRecord(id, i, retries)),
    );
    const setup = {
      ...{ brokers, topic, groupId, storePort: store.port },
      ...{ journal: ledger.file, sessionTimeoutMs: SESSION_TIMEOUT_MS, handledBy, retries },
    };

    const victim = start({
      ...setup,
      crash: { point, afterEffects: AFTER_EFFECTS, maxEffects: MAX_EFFECTS },
    });
    await victim.waitForLine('at the point', 40_000);
    await victim.kill();
    await store.idle();
    const effectsBefore = ledger.all('effect').length;

    const heir = start({ ...setup, crash: null });
    await committedToTheEnd(brokers, groupId, topic);
    if (retries) await committedToTheEnd(brokers, groupId, retryTopic);
    heir.send('stop');
    expect(await heir.waitForExit()).toBe(0);
    return { effectsBefore, ...judge(ledger, await deadLetters(topic)) };
  }

  /** Event ids of all dead letters of a topic. */
  async function deadLetters(topic: string): Promise<string[]> {
    const letters = await readWithKcat(brokers, `${topic}.dlq`);
    return letters.map((letter) => headerOf(letter, 'event-id') ?? '');
  }

  it.each(crashPoints)('%s: nothing is lost, nothing completed runs again', (point) => {
    const report = reports.get(point);
    if (report instanceof Error) throw report;
    process.stdout.write(`killed ${point}: ${JSON.stringify(report)}\n`);
    expect(report).toMatchObject({ lost: 0, repeatedAfterComplete: 0 });
    expect(report?.effectsBefore).toBeGreaterThanOrEqual(AFTER_EFFECTS);
    expect(report?.effectsBefore).toBeLessThanOrEqual(MAX_EFFECTS);
    // What ran and was not completed yet: at most one record of each key.
    expect(report?.repeatedBeforeComplete).toBeLessThanOrEqual(KEYS);
    expect(report?.deadLettersRepeated).toBeLessThanOrEqual(KEYS);
  });
}

function orderRecord(id: string, i: number, retries: boolean): OutRecord {
  const key = i % KEYS;
  const poison = POISON_IDS.includes(id);
  const payload = { poison, flaky: retries && !poison && i % FLAKY === 1 };
  const [type, partition] = ['order.created.v1', key % PARTITIONS];
  return eventRecord({ id, type, key: `order-${key}`, payload, partition });
}

function start(setup: CrashSetup): TestProcess {
  return TestProcess.start(SERVICE, { args: [JSON.stringify(setup)] });
}

/** The services append their effects, the store the completions, each before the next step can be taken. */
function judge(
  ledger: EffectLedger,
  deadLetters: readonly string[],
): Omit<CrashReport, 'effectsBefore'> {
  const effected = ledger.effects();
  const lost = [
    ...HEALTHY_IDS.filter((id) => !effected.has(id)),
    ...POISON_IDS.filter((id) => !deadLetters.includes(id)),
  ];
  return {
    ...ledger.judge(HEALTHY_IDS.length),
    lost: lost.length,
    deadLettersRepeated: deadLetters.length - new Set(deadLetters).size,
  };
}
