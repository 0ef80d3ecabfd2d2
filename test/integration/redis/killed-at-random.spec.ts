import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';

import { TestProcess } from '../../support/child-process.js';
import { describeWithCommand } from '../../support/describe-with-command.js';
import {
  committedToTheEnd,
  createEventTopic,
  endOffsets,
  eventRecord,
} from '../../support/event-topic.js';
import { EffectLedger, type Judgement } from '../../support/effect-ledger.js';
import { eventually } from '../../support/eventually.js';
import { driverFor, produce } from '../../support/kafka-driver.js';
import { describeRealKafka } from '../../support/real-kafka.js';
import { startRedis } from '../../support/real-redis.js';
import { seededRandom } from '../../support/seeded-random.js';
import { uniqueName } from '../../support/unique-topic.js';
import type { Worker } from './killed-at-random.child.js';

const WORKER = 'test/integration/redis/killed-at-random.child.ts';
const SEED = Number(process.env.SEED ?? 1);
/** Of the runs in CI; more for figures. */
const KILLS = Number(process.env.KILLS ?? 50);
const KILLS_OF_BATCHES = Number(process.env.KILLS ?? 20);
const KILLS_WITHOUT_REDIS = Number(process.env.KILLS ?? 10);

const WORKERS = 4;
const PARTITIONS = 12;
const KEYS = 500;
const SESSION_TIMEOUT_MS = 1_800;
/** Events beyond those with an effect: there is always work. */
const BACKLOG = 2_000;
const PATIENCE_MS = 240_000;

interface Outcome extends Judgement {
  readonly kills: number;
  readonly events: number;
  readonly deadLetters: number;
}

describeRealKafka('four processes that are killed at random under load', (brokers) => {
  const driver = driverFor(brokers);

  describeWithCommand(['redis-server'], 'with their claims in Redis', () => {
    it(
      'lose nothing, and repeat nothing that was completed',
      async () => {
        const redis = await startRedis();
        const outcome = await killAtRandom(redis.address, KILLS);
        report('Redis', outcome);
        expect(outcome).toMatchObject({ kills: KILLS, lost: 0, repeatedAfterComplete: 0 });
        // Nobody was taken for the cause of all that.
        expect(outcome.deadLetters).toBe(0);
      },
      PATIENCE_MS,
    );

    it(
      'the same in the middle of batches',
      async () => {
        const redis = await startRedis();
        const outcome = await killAtRandom(redis.address, KILLS_OF_BATCHES, true);
        report('Redis, batches', outcome);
        expect(outcome).toMatchObject({
          kills: KILLS_OF_BATCHES,
          lost: 0,
          repeatedAfterComplete: 0,
        });
        expect(outcome.deadLetters).toBe(0);
      },
      PATIENCE_MS,
    );
  });

  describe('with claims in their memory', () => {
    it(
      'lose nothing; what they repeat is counted',
      async () => {
        const outcome = await killAtRandom(null, KILLS_WITHOUT_REDIS);
        report('memory', outcome);
        expect(outcome).toMatchObject({ kills: KILLS_WITHOUT_REDIS, lost: 0 });
      },
      PATIENCE_MS,
    );
  });

  async function killAtRandom(
    redis: Worker['redis'],
    kills: number,
    batches = false,
  ): Promise<Outcome> {
    const topic = await createEventTopic(brokers, PARTITIONS);
    const ledger = await EffectLedger.create();
    const worker = {
      ...{ brokers, topic, groupId: uniqueName('group'), redis, batches },
      ...{ ledger: ledger.file, sessionTimeoutMs: SESSION_TIMEOUT_MS },
    };
    const start = () => TestProcess.start(WORKER, { args: [JSON.stringify(worker)] });
    const workers = Array.from({ length: WORKERS }, start);
    const load = new Load((ids) => produce(driver, topic, ids.map(orderRecord)), ledger);
    const random = seededRandom(SEED);

    await Promise.all(workers.map((each) => each.waitForLine('working', 60_000)));
    for (let kill = 0; kill < kills; kill++) {
      // Not until there is progress to be lost: else nothing but boots would be killed.
      await ledger.grows();
      await sleep(100 + 1_100 * random());
      const victim = Math.floor(WORKERS * random());
      await workers[victim]?.kill();
      workers[victim] = start();
    }
    const events = await load.stop();

    await eventually(() => ledger.effects().size === events, { timeoutMs: 60_000 });
    await committedToTheEnd(brokers, worker.groupId, topic);
    for (const each of workers) each.send('stop');
    await Promise.all(workers.map((each) => each.waitForExit()));
    const [deadLetters = 0] = await endOffsets(brokers, `${topic}.dlq`);
    return { kills, events, deadLetters, ...ledger.judge(events) };
  }
});

function report(store: string, outcome: Outcome): void {
  process.stdout.write(`killed at random, ${store}, seed ${SEED}: ${JSON.stringify(outcome)}\n`);
}

function orderRecord(id: string) {
  const key = Number(id) % KEYS;
  const partition = key % PARTITIONS;
  return eventRecord({ id, type: 'order.created.v1', key: `order-${key}`, payload: {}, partition });
}

/** Keeps the topic ahead of its consumers. */
class Load {
  #sent = 0;
  readonly #stopping = new AbortController();
  readonly #producing: Promise<void>;

  constructor(
    private readonly send: (ids: readonly string[]) => Promise<unknown>,
    private readonly ledger: EffectLedger,
  ) {
    this.#producing = this.#produce();
  }

  /** Answers how many events there are. */
  async stop(): Promise<number> {
    this.#stopping.abort();
    await this.#producing;
    return this.#sent;
  }

  async #produce(): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      if (this.#sent - this.ledger.effects().size > BACKLOG) {
        await sleep(50);
        continue;
      }
      const ids = Array.from({ length: 500 }, (_, i) => String(this.#sent + i));
      await this.send(ids);
      this.#sent += ids.length;
    }
  }
}
