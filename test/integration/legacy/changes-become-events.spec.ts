import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { Payload } from '@nestjs/microservices';

import { EventHandler, KafkaEventsModule } from '../../../lib/index.js';
import { TestProcess } from '../../support/child-process.js';
import { onCleanup } from '../../support/cleanup.js';
import { describeEachKafka } from '../../support/each-kafka.js';
import { committedToTheEnd, createEventTopic, endOffsets } from '../../support/event-topic.js';
import { bootApp, quickOptions } from '../../support/nest-app.js';
import { OrderCreated } from '../../support/shop-events.js';
import { uniqueName } from '../../support/unique-topic.js';
import type { Poller } from './killed-before-its-cursor.child.js';

const CHANGES = 35;
const PAGE = 10;

describeEachKafka('changes of a system of old', (brokers) => {
  it('are handled once and in order, although whoever published them died before noting that', async () => {
    const topic = await createEventTopic(brokers);
    const groupId = uniqueName('group');
    const directory = await mkdtemp(join(tmpdir(), 'feed-'));
    onCleanup(() => rm(directory, { recursive: true, force: true }));
    const cursor = join(directory, 'cursor');
    await writeFile(cursor, '');
    const start = (dies: boolean) => {
      const poller: Poller = { brokers, topic, cursor, changes: CHANGES, dies };
      return TestProcess.start('test/integration/legacy/killed-before-its-cursor.child.ts', {
        args: [JSON.stringify(poller)],
      });
    };
    const handled: string[] = [];
    @Injectable()
    class Orders {
      @EventHandler(OrderCreated, { ordering: 'partition' })
      handle(@Payload() { orderId }: OrderCreated): void {
        handled.push(orderId);
      }
    }
    await bootApp({
      imports: [KafkaEventsModule.forRoot(quickOptions(brokers, groupId, topic))],
      providers: [Orders],
    });

    for (let deaths = 0; deaths < 2; deaths++) {
      const dying = start(true);
      await dying.waitForLine('polling');
      expect(await dying.waitForExit()).toBeNull();
    }
    expect(await readFile(cursor, 'utf8')).toBe('');
    const surviving = start(false);
    await surviving.waitForLine('all polled');
    await committedToTheEnd(brokers, groupId, topic);

    // The first page three times, each other once.
    const records = (await endOffsets(brokers, topic)).reduce((sum, offset) => sum + offset, 0);
    expect(records).toBe(CHANGES + 2 * PAGE);
    expect(handled).toEqual(Array.from({ length: CHANGES }, (_, n) => String(n)));
    expect(await readFile(cursor, 'utf8')).toBe(String(CHANGES));
  }, 90_000);
});
