import { beforeAll, expect, it } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import type { KafkaDriver } from '../../lib/kafka/driver.js';
import { PublishError } from '../../lib/kafka-events.errors.js';
import type { EventPublisher } from '../../lib/publishing/event-publisher.js';
import { eventually } from '../support/eventually.js';
import type { KafkaBroker } from '../support/kafka-broker.js';
import { describeRealKafka, startPrivateBroker } from '../support/real-kafka.js';
import { OrderCreated } from '../support/shop-events.js';
import { eventIdsIn, TestPublisher } from '../support/test-publisher.js';
import { createTopic } from '../support/unique-topic.js';

const REQUEST_TIMEOUT_MS = 1_000;
/** No retries inside the client: each of its failures is the publisher's to deal with. */
const IMPATIENT = { requestTimeoutMs: REQUEST_TIMEOUT_MS, retries: 0 };

/** Callers that publish one event after the other, and what each was told. */
class Callers {
  readonly acknowledged: string[] = [];
  readonly failed: PublishError[] = [];
  private stopped = false;
  private readonly running: Promise<unknown>;

  constructor(publisher: EventPublisher, count: number, deadlineMs: number) {
    this.running = Promise.all(
      Array.from({ length: count }, (_, i) => this.run(publisher, `order-${i}`, deadlineMs)),
    );
  }

  async stop(): Promise<void> {
    this.stopped = true;
    await this.running;
  }

  /** Waits until so many more events were acknowledged. */
  async progress(count = 1): Promise<void> {
    const target = this.acknowledged.length + count;
    await eventually(() => this.acknowledged.length >= target, { timeoutMs: 20_000 });
  }

  private async run(publisher: EventPublisher, orderId: string, deadlineMs: number) {
    while (!this.stopped) {
      try {
        const { eventId } = await publisher.publish(OrderCreated, { orderId }, { deadlineMs });
        this.acknowledged.push(eventId);
      } catch (error) {
        if (!(error instanceof PublishError)) throw error;
        this.failed.push(error);
      }
    }
  }
}

/** Goes on with the producer that failed, as an application on bare kafkajs would. */
function withoutRecycling(driver: KafkaDriver): Pick<KafkaDriver, 'producer'> {
  const only = driver.producer();
  return {
    producer: () => ({
      send: (topic, records) => only.send(topic, records),
      close: () => Promise.resolve(),
    }),
  };
}

describeRealKafka('publishing while the broker is away', () => {
  let broker: KafkaBroker;
  beforeAll(async () => {
    broker = await startPrivateBroker();
  });

  async function freeze(callers: Callers): Promise<void> {
    await callers.progress(500);
    broker.pause();
    await sleep(2 * REQUEST_TIMEOUT_MS);
    broker.resume();
  }

  it.each([30_000, 1_500])(
    'frozen for twice the request timeout, deadline %d: every acknowledged id is in the topic',
    async (deadlineMs) => {
      const topic = await createTopic(broker.brokers, { partitions: 3 });
      const { publisher, recycled } = new TestPublisher(broker.brokers, topic, {
        connection: IMPATIENT,
        ...(process.env.NORECYCLE ? { wrap: withoutRecycling } : {}),
      });
      const callers = new Callers(publisher, 64, deadlineMs);
      await freeze(callers);
      await callers.progress(500);
      await callers.stop();

      const ids = await eventIdsIn(broker.brokers, topic);
      const stored = new Set(ids);
      console.log({ recycled: recycled.map((r) => r.error.message), ack: callers.acknowledged.length, failed: callers.failed.length, f: callers.failed.slice(0,3).map((e)=>e.message + ' / ' + String(e.cause)), dup: ids.length - stored.size,
       lost: callers.acknowledged.filter((id) => !stored.has(id)).length });
      expect(callers.acknowledged.filter((id) => !stored.has(id))).toEqual([]);
      expect(recycled.length).toBeGreaterThan(0);
    },
  );
});
