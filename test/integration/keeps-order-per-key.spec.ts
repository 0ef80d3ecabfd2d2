import { expect, it } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import { IsInt, IsString } from 'class-validator';
import {
  DomainEvent,
  event,
  EventContext,
  EventHandler,
  EventPublisher,
  KafkaEventsModule,
} from '../../lib/index.js';
import { committedToTheEnd, createEventTopic } from '../support/event-topic.js';
import { bootApp, quickOptions } from '../support/nest-app.js';
import { describeEachKafka } from '../support/each-kafka.js';
import { seededRandom } from '../support/seeded-random.js';
import { uniqueName } from '../support/unique-topic.js';

@DomainEvent({ type: 'order.paid', version: 1, topic: 'orders', key: 'orderId' })
class OrderPaid {
  @IsString() orderId!: string;
  @IsInt() step!: number;
}

@DomainEvent({ type: 'order.shipped', version: 1, topic: 'orders', key: 'orderId' })
class OrderShipped {
  @IsString() orderId!: string;
  @IsInt() step!: number;
}

const KEYS = 24;
const STEPS = 20;
const SEED = 20_241_123;

describeEachKafka('handlers with concurrency', (brokers) => {
  it('keep the order of each key across event types, retries included', async () => {
    const topic = await createEventTopic(brokers, 6);
    const groupId = uniqueName('group');
    const random = seededRandom(SEED);
    const journal = new OrderJournal();

    async function work(payload: OrderPaid | OrderShipped, attempt: number): Promise<void> {
      await journal.during(payload, async () => {
        await sleep(random() * 8);
        if (random() < 0.3 && attempt < 4) throw new Error('random failure');
      });
    }

    @Injectable()
    class Orders {
      @EventHandler(OrderPaid, { concurrency: 16 })
      pay(@Payload() order: OrderPaid, @Ctx() context: EventContext): Promise<void> {
        return work(order, context.attempt);
      }
      @EventHandler(OrderShipped, { concurrency: 16 })
      ship(@Payload() order: OrderShipped, @Ctx() context: EventContext): Promise<void> {
        return work(order, context.attempt);
      }
    }
    const app = await bootApp({
      imports: [KafkaEventsModule.forRoot(quickOptions(brokers, groupId, topic))],
      providers: [Orders],
    });

    const publisher = app.get(EventPublisher);
    for (let step = 0; step < STEPS; step++) {
      const type = step % 2 === 0 ? OrderPaid : OrderShipped;
      const payloads = Array.from({ length: KEYS }, (_, key) => ({
        orderId: `order-${key}`,
        step,
      }));
      await publisher.publishAll(payloads.map((payload) => event(type, payload)));
    }
    await committedToTheEnd(brokers, groupId, topic);

    const inOrder = Array.from({ length: STEPS }, (_, step) => step);
    expect(journal.succeeded.size).toBe(KEYS);
    for (const [key, steps] of journal.succeeded) expect([key, steps]).toEqual([key, inOrder]);
    expect(journal.overlaps).toEqual([]);
    expect(journal.failures).toBeGreaterThan(KEYS);
    // More at once than there are partitions: order did not come from doing one after the other.
    expect(journal.mostAtOnce).toBeGreaterThan(6);
  });
});

/** What ran when, by key. */
class OrderJournal {
  readonly succeeded = new Map<string, number[]>();
  readonly overlaps: string[] = [];
  failures = 0;
  mostAtOnce = 0;
  readonly #running = new Set<string>();

  async during(
    { orderId, step }: { orderId: string; step: number },
    work: () => Promise<void>,
  ): Promise<void> {
    if (this.#running.has(orderId)) this.overlaps.push(`${orderId} at step ${step}`);
    this.#running.add(orderId);
    this.mostAtOnce = Math.max(this.mostAtOnce, this.#running.size);
    try {
      await work();
      this.succeeded.set(orderId, [...(this.succeeded.get(orderId) ?? []), step]);
    } catch (error) {
      this.failures++;
      throw error;
    } finally {
      this.#running.delete(orderId);
    }
  }
}
