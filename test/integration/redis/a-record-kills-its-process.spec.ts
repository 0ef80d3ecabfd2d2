import { expect, it } from '@jest/globals';

import { TestProcess } from '../../support/child-process.js';
import { describeWithCommand } from '../../support/describe-with-command.js';
import { EffectLedger } from '../../support/effect-ledger.js';
import {
  committedOffsets,
  createEventTopic,
  endOffsets,
  eventRecord,
} from '../../support/event-topic.js';
import { eventually } from '../../support/eventually.js';
import { headerOf, readWithKcat } from '../../support/kcat.js';
import { driverFor, produce } from '../../support/kafka-driver.js';
import { describeRealKafka } from '../../support/real-kafka.js';
import { startRedis } from '../../support/real-redis.js';
import { uniqueName } from '../../support/unique-topic.js';
import type { Worker } from './killed-at-random.child.js';

const WORKER = 'test/integration/redis/killed-at-random.child.ts';
const PARTITIONS = 6;
const EVENTS = 1_200;
const PATIENCE_MS = 240_000;

describeRealKafka('a process that a record kills again and again', (brokers) => {
  describeWithCommand(['redis-server', 'kcat'], 'with its claims in Redis', () => {
    it.each([
      ['one such record', ['601']],
      ['two, one of which aborts', ['600', '603']],
    ])(
      'comes through, and dead-letters nothing else: %s',
      async (_, killers) => {
        const { worker, ledger } = await setUp(killers);
        const service = new RestartedProcess(worker);
        const startedAt = Date.now();

        await eventually(() => isThrough(worker), { timeoutMs: PATIENCE_MS - 30_000 });
        const outcome = {
          deaths: service.deaths,
          seconds: Math.round((Date.now() - startedAt) / 1000),
          ...ledger.judge(EVENTS - killers.length),
        };
        await service.stop();
        process.stdout.write(`killers ${killers.join()}: ${JSON.stringify(outcome)}\n`);

        expect(outcome).toMatchObject({ lost: 0, repeatedAfterComplete: 0 });
        const letters = await readWithKcat(brokers, `${worker.topic}.dlq`);
        expect(
          letters
            .map((letter) => [headerOf(letter, 'event-id'), headerOf(letter, 'dlq-reason')])
            .sort(),
        ).toEqual(killers.map((id) => [id, 'crash-loop']));
        // One to be suspected, two among others and two alone; never run again once condemned.
        for (const id of killers) {
          expect(ledger.all('kill').filter((each) => each === id).length).toBeLessThanOrEqual(5);
        }
        expect(service.deaths).toBe(ledger.all('kill').length);
      },
      PATIENCE_MS,
    );
  });

  async function setUp(killers: readonly string[]) {
    const redis = await startRedis();
    const topic = await createEventTopic(brokers, PARTITIONS);
    const ledger = await EffectLedger.create();
    const worker: Worker = {
      ...{ brokers, topic, groupId: uniqueName('group'), redis: redis.address },
      ...{ ledger: ledger.file, sessionTimeoutMs: 1_800, killers },
    };
    const ids = Array.from({ length: EVENTS }, (_, i) => String(i));
    await produce(driverFor(brokers), topic, ids.map(orderRecord));
    return { worker, ledger };
  }

  async function isThrough({ groupId, topic }: Worker): Promise<boolean> {
    const ends = await endOffsets(brokers, topic);
    const committed = await committedOffsets(brokers, groupId, topic);
    return ends.every((end, partition) => committed[partition] === end);
  }
});

function orderRecord(id: string) {
  const partition = Number(id) % PARTITIONS;
  return eventRecord({ id, type: 'order.created.v1', key: `order-${id}`, payload: {}, partition });
}

/** What an orchestrator does: starts it again whenever it has died. */
class RestartedProcess {
  deaths = 0;
  #life: TestProcess;
  #stopping = false;

  constructor(private readonly worker: Worker) {
    this.#life = this.#start();
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    this.#life.send('stop');
    await this.#life.waitForExit();
  }

  #start(): TestProcess {
    const life = TestProcess.start(WORKER, { args: [JSON.stringify(this.worker)] });
    void life.waitForExit().then(() => {
      if (this.#stopping) return;
      this.deaths++;
      this.#life = this.#start();
    });
    return life;
  }
}
