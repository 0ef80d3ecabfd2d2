import { expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { IsInt, IsString } from 'class-validator';

import {
  DomainEvent,
  EventBatch,
  EventBatchHandler,
  EventPublisher,
  KafkaEventsHealth,
  KafkaEventsModule,
  event,
} from '../../lib/index.js';
import { describeEachKafka } from '../support/each-kafka.js';
import { committedToTheEnd, createEventTopic } from '../support/event-topic.js';
import { eventually } from '../support/eventually.js';
import { bootApp, quickOptions } from '../support/nest-app.js';
import { uniqueName } from '../support/unique-topic.js';

const PARTITIONS = 3;
const DEVICES = 20;
const READINGS = 1_000;

@DomainEvent({ type: 'telemetry.reading', version: 1, topic: 'telemetry', key: 'deviceId' })
class Reading {
  @IsString() deviceId!: string;
  @IsInt() number!: number;
}

/** What came to its end, in that order, and the sizes of the batches it came in. */
class Journal {
  readonly handled: Reading[] = [];
  readonly sizes: number[] = [];
}

/** Records that are with us and have not settled. */
function spanOf(health: KafkaEventsHealth): number {
  const partitions = health.check().groups.flatMap((group) => group.partitions);
  return partitions.reduce((sum, { span }) => sum + span, 0);
}

describeEachKafka('a handler of batches', (brokers) => {
  async function boot(handler: new (journal: Journal) => object, topic: string, groupId: string) {
    const journal = new Journal();
    const app = await bootApp({
      imports: [KafkaEventsModule.forRoot(quickOptions(brokers, groupId, topic))],
      providers: [handler, { provide: Journal, useValue: journal }],
    });
    return { app, journal };
  }

  it('is given all records, in the order of each key, while some fail and one is poison', async () => {
    @Injectable()
    class Telemetry {
      constructor(private readonly journal: Journal) {}
      @EventBatchHandler(Reading, { maxSize: 100, maxWaitMs: 50 })
      async ingest(batch: EventBatch<Reading>): Promise<void> {
        this.journal.sizes.push(batch.length);
        const failed = new Set<string>();
        for (const { index, payload, attempt } of batch) {
          if (failed.has(payload.deviceId)) continue;
          if (payload.number % 50 === 7 && attempt === 1) {
            failed.add(payload.deviceId);
            batch.retry(index, new Error('not yet'));
          } else if (payload.number === 500) {
            batch.deadLetter(index, 'poison');
          } else {
            this.journal.handled.push(payload);
          }
        }
        await Promise.resolve();
      }
    }
    const topic = await createEventTopic(brokers, PARTITIONS);
    const groupId = uniqueName('group');
    const { app, journal } = await boot(Telemetry, topic, groupId);
    const readings = Array.from({ length: READINGS }, (_, number) => ({
      deviceId: `d${String(number % DEVICES)}`,
      number,
    }));
    await app.get(EventPublisher).publishAll(readings.map((each) => event(Reading, each)));

    await committedToTheEnd(brokers, groupId, topic);

    expect(journal.handled).toHaveLength(READINGS - 1);
    for (let device = 0; device < DEVICES; device++) {
      const own = journal.handled.filter(({ deviceId }) => deviceId === `d${String(device)}`);
      const numbers = own.map(({ number }) => number);
      expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
    }
    expect(Math.max(...journal.sizes)).toBeLessThanOrEqual(100);
    // Not one by one.
    expect(journal.sizes.length).toBeLessThan(READINGS / 4);
  });

  it('is given what has gathered when its service shuts down, and that is committed', async () => {
    @Injectable()
    class Telemetry {
      constructor(private readonly journal: Journal) {}
      @EventBatchHandler(Reading, { maxSize: 1_000, maxWaitMs: 600_000 })
      ingest(batch: EventBatch<Reading>): void {
        this.journal.handled.push(...batch.payloads);
      }
    }
    const topic = await createEventTopic(brokers, 1);
    const groupId = uniqueName('group');
    const { app, journal } = await boot(Telemetry, topic, groupId);
    for (const number of [1, 2]) {
      await app.get(EventPublisher).publish(Reading, { deviceId: 'd0', number });
    }
    await eventually(() => spanOf(app.get(KafkaEventsHealth)) === 2);
    expect(journal.handled).toEqual([]);

    await app.close();

    expect(journal.handled.map(({ number }) => number)).toEqual([1, 2]);
    await committedToTheEnd(brokers, groupId, topic);
  });
});
