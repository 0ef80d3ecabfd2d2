import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { Partitioners, type Producer } from 'kafkajs';

import { EmbeddedKafka } from '../../../lib/testing/index.js';
import { TestProcess } from '../../support/child-process.js';
import { onCleanup } from '../../support/cleanup.js';
import { kafkaJs } from '../../support/embedded-kafka.js';
import { eventually } from '../../support/eventually.js';
import { filesOf } from '../../support/markdown-code.js';
import { committedOffsetOf, deadLettersAt } from '../../support/pattern-shop.js';
import { describeRealKafka, startPrivateBroker } from '../../support/real-kafka.js';

const PROJECT = resolve(import.meta.dirname, '../../..');
const guide = await readFile(join(PROJECT, 'docs/migrating.md'), 'utf8');

/** A record that an old producer wrote: no headers but an id, where it has one. */
interface OldRecord {
  readonly order: { readonly orderId?: string };
  readonly id?: string;
}

describe('the guide to migrating (embedded broker)', () => {
  migration(async () => {
    const kafka = await EmbeddedKafka.start();
    onCleanup(() => kafka.stop());
    return kafka.brokers;
  });
});

describeRealKafka('the guide to migrating', () => {
  migration(async () => (await startPrivateBroker()).brokers);
});

/** Runs the applications of docs/migrating.md one after another, in one group, on one topic. */
function migration(startKafka: () => Promise<readonly string[]>): void {
  let directory: string;
  let brokers: readonly string[];
  let producer: Producer;
  let sent = 0n;

  beforeAll(async () => {
    // Inside the project, so that the code is compiled and finds its packages as the tests do.
    await mkdir(join(PROJECT, '.cache'), { recursive: true });
    directory = await mkdtemp(join(PROJECT, '.cache/migrating-'));
    onCleanup(() => rm(directory, { recursive: true, force: true }));
    for (const { file, code } of filesOf(guide)) await writeInto(directory, file, code);

    brokers = await startKafka();
    const client = kafkaJs([...brokers]);
    const admin = client.admin();
    await admin.connect();
    await admin.createTopics({
      topics: ['orders', 'orders.dlq'].map((topic) => ({
        topic,
        numPartitions: 1,
        configEntries: [{ name: 'max.message.bytes', value: '2000000' }],
      })),
      waitForLeaders: true,
    });
    await admin.disconnect();
    producer = client.producer({ createPartitioner: Partitioners.DefaultPartitioner });
    await producer.connect();
    onCleanup(() => producer.disconnect());
  }, 60_000);

  const send = async (...records: OldRecord[]): Promise<void> => {
    const messages = records.map(({ order, id }) => ({
      value: JSON.stringify(order),
      ...(id !== undefined && { headers: { 'event-id': id } }),
    }));
    await producer.send({ topic: 'orders', messages });
    sent += BigInt(records.length);
  };

  /** Runs the application of a step until it has committed all that was sent; answers what it did. */
  const run = async (step: string): Promise<string[]> => {
    const service = TestProcess.start(join(directory, step, 'main.ts'), {
      env: { KAFKA_BROKERS: brokers.join(','), PORT: '0', NODE_ENV: 'development' },
    });
    await eventually(
      async () => (await committedOffsetOf(brokers, 'orders', 'shop-server')) === sent,
      { timeoutMs: 30_000, message: `the offsets of ${step}: ${service.errors.join('\n')}` },
    );
    process.kill(service.pid, 'SIGTERM');
    await service.waitForExit();
    return service.lines.filter((line) => line.startsWith('reserved '));
  };

  it('starts from what Nest’s transport does: whatever comes twice is done twice', async () => {
    await send({ order: { orderId: 'o-1' }, id: 'e-1' }, { order: { orderId: 'o-1' }, id: 'e-1' });
    expect(await run('before')).toEqual(['reserved o-1', 'reserved o-1']);
  }, 60_000);

  it('step 1: goes on where that ended, does nothing twice, and dead-letters what fails', async () => {
    await send({ order: { orderId: 'o-2' }, id: 'e-2' }, { order: { orderId: 'o-2' }, id: 'e-2' });
    await send({ order: {}, id: 'e-3' }, { order: { orderId: 'o-4' } });

    expect(await run('step-1')).toEqual(['reserved o-2', 'reserved o-4']);
    const [letter] = await deadLettersAt(brokers, 'orders.dlq', 1);
    expect(letter).toMatchObject({ value: '{}', handler: 'OrdersController.created', attempts: 5 });
  }, 60_000);

  it('step 2: the same controller behind KafkaEventsServer, in the same group', async () => {
    await send({ order: { orderId: 'o-5' }, id: 'e-5' }, { order: { orderId: 'o-5' }, id: 'e-5' });
    await send({ order: {}, id: 'e-6' }, { order: { orderId: 'o-7' } });

    expect(await run('step-2')).toEqual(['reserved o-5', 'reserved o-7']);
    expect(await deadLettersAt(brokers, 'orders.dlq', 2)).toHaveLength(2);
  }, 60_000);

  it('step 3: an event handler, which turns away what breaks the contract', async () => {
    await send({ order: { orderId: 'o-8' }, id: 'e-8' }, { order: { orderId: 'o-8' }, id: 'e-8' });
    await send({ order: {}, id: 'e-9' });

    expect(await run('step-3')).toEqual(['reserved o-8']);
    const letters = await deadLettersAt(brokers, 'orders.dlq', 3);
    expect(letters.at(-1)).toMatchObject({
      reason: 'invalid',
      handler: 'OrdersHandler.created',
      attempts: 1,
    });
  }, 60_000);
}

async function writeInto(directory: string, name: string, content: string): Promise<void> {
  const file = join(directory, name);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, content);
}
