import { expect, it } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { Payload } from '@nestjs/microservices';
import { EventHandler, KafkaEventsModule, PartitionScaler } from '../../lib/index.js';
import { describeEachKafka } from '../support/each-kafka.js';
import { createEventTopic, eventRecord } from '../support/event-topic.js';
import { eventually } from '../support/eventually.js';
import { driverFor, produce } from '../support/kafka-driver.js';
import { bootApp, quickOptions } from '../support/nest-app.js';
import { OrderCreated } from '../support/shop-events.js';
import { thrownBy } from '../support/thrown-by.js';
import { uniqueName } from '../support/unique-topic.js';

const PARTITIONS = 3;
/** More than any of these handlers gets through while it is observed. */
const RECORDS = 1_500;

/** A service that is behind: each record takes 20 ms. */
async function service(
  brokers: string[],
  options: { concurrency: number; ordering?: 'partition'; partitionOf: (n: number) => number },
) {
  const { partitionOf, ...handler } = options;
  const topic = await createEventTopic(brokers, PARTITIONS);
  const groupId = uniqueName('group');
  const records = Array.from({ length: RECORDS }, (_, n) =>
    eventRecord({
      id: `${topic}-${String(n)}`,
      type: 'order.created.v1',
      key: `key-${String(n)}`,
      payload: { orderId: `key-${String(n)}` },
      partition: partitionOf(n),
    }),
  );
  await produce(driverFor(brokers), topic, records);
  let handled = 0;
  @Injectable()
  class Orders {
    @EventHandler(OrderCreated, { id: 'orders', ...handler })
    async created(@Payload() _order: OrderCreated): Promise<void> {
      await sleep(20);
      handled++;
    }
  }
  const app = await bootApp({
    imports: [KafkaEventsModule.forRoot(quickOptions(brokers, groupId, topic))],
    providers: [Orders],
  });
  await eventually(() => handled > 0);
  const scaler = app.get(PartitionScaler);
  const advise = () => scaler.advise({ groupId, topic, observeMs: 1_000, targetDrainMs: 1_000 });
  return { topic, groupId, scaler, advise };
}

describeEachKafka('the advice on a partition count', (brokers) => {
  it('is to raise the concurrency where handlers are all in use', async () => {
    const { advise, topic, groupId } = await service(brokers, {
      concurrency: 2,
      partitionOf: (n) => n % PARTITIONS,
    });

    const [advice, ...others] = await advise();

    expect(others).toEqual([]);
    expect(advice).toMatchObject({
      ...{ topic, groupId, members: 1, partitions: PARTITIONS, advisedPartitions: PARTITIONS },
      bottleneck: 'handlers',
      reasons: [expect.stringContaining('orders runs 2 at once'), expect.stringContaining('')],
      effect: null,
    });
    expect(advice?.lag).toBeGreaterThan(RECORDS / 2);
    expect(advice?.consumedPerSecond).toBeGreaterThan(10);
    // 20 ms each, two at a time.
    expect(advice?.consumedPerSecond).toBeLessThan(200);
    expect(advice?.drainMs).toBeGreaterThan(1_000);
  });

  it('is more of them where each is handled one record after another, with what that does to keys', async () => {
    const { advise } = await service(brokers, {
      concurrency: 16,
      ordering: 'partition',
      partitionOf: (n) => n % PARTITIONS,
    });
    const [advice] = await advise();
    expect(advice).toMatchObject({
      bottleneck: 'partitions',
      advisedPartitions: PARTITIONS * 4,
      effect: { from: PARTITIONS, to: PARTITIONS * 4, movedKeys: 0.75 },
    });
  });

  it('is never more of them where one has it all', async () => {
    const { advise, scaler } = await service(brokers, {
      concurrency: 16,
      ordering: 'partition',
      partitionOf: () => 1,
    });
    const [advice] = await advise();
    expect(advice).toMatchObject({ bottleneck: 'hot-partition', advisedPartitions: PARTITIONS });

    await expect(scaler.advise({ topic: 'no-such-topic' })).rejects.toMatchObject({
      code: 'INVALID_TARGET',
    });
    await expect(scaler.advise({ observeMs: 5 })).rejects.toMatchObject({ code: 'INVALID_TARGET' });
    expect(scaler.effectOfAdding(6, 8).movedKeys).toBeCloseTo(0.75);
    expect(thrownBy(() => scaler.effectOfAdding(6, 5)).message).toContain('takes no partitions');
  });
});
