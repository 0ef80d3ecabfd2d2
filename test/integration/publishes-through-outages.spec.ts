import { beforeAll, expect, it } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import type { KafkaDriver } from '../../lib/kafka/driver.js';
import { PublishDeadlineError, PublishError } from '../../lib/kafka-events.errors.js';
import type { EventPublisher } from '../../lib/publishing/event-publisher.js';
import { onCleanup } from '../support/cleanup.js';
import { eventually } from '../support/eventually.js';
import type { KafkaBroker } from '../support/kafka-broker.js';
import { describeRealKafka, startPrivateBroker } from '../support/real-kafka.js';
import { OrderCreated } from '../support/shop-events.js';
import { eventIdsIn, TestPublisher } from '../support/test-publisher.js';
import { createTopic } from '../support/unique-topic.js';

const CALLERS = 64;
const REQUEST_TIMEOUT_MS = 1_000;
/** kafkajs refuses to be idempotent without a retry. */
const IMPATIENT = { requestTimeoutMs: REQUEST_TIMEOUT_MS, retries: 1 };

describeRealKafka('publishing while the broker is away', () => {
  let broker: KafkaBroker;
  beforeAll(async () => {
    broker = await startPrivateBroker();
  });

  async function missingFrom(topic: string, ids: readonly string[]): Promise<string[]> {
    const stored = new Set(await eventIdsIn(broker.brokers, topic));
    return ids.filter((id) => !stored.has(id));
  }

  it('frozen for twice the request timeout: every acknowledged id is in the topic', async () => {
    const topic = await createTopic(broker.brokers, { partitions: 3 });
    const { publisher, recycled } = new TestPublisher(broker.brokers, topic, {
      connection: IMPATIENT,
    });
    const callers = new Callers(publisher);
    await callers.progress();
    broker.pause();
    // Answers that were on their way have come by then, and no request has failed yet.
    await sleep(REQUEST_TIMEOUT_MS / 2);
    const acknowledged = callers.acknowledged.length;
    await sleep(1.5 * REQUEST_TIMEOUT_MS);
    await eventually(() => recycled.length > 0, { message: 'a failed send' });
    expect(callers.acknowledged).toHaveLength(acknowledged);
    broker.resume();
    await callers.progress();
    await callers.stop();

    expect(callers.failures).toEqual([]);
    expect(await missingFrom(topic, callers.acknowledged)).toEqual([]);
  });

  it.each(['SIGTERM', 'SIGKILL'] as const)(
    'restarted (%s): every acknowledged id is in the topic',
    async (signal) => {
      const topic = await createTopic(broker.brokers, { partitions: 3 });
      const { publisher } = new TestPublisher(broker.brokers, topic);
      const callers = new Callers(publisher);
      await callers.progress();
      await broker.restart(signal);
      await callers.progress();
      await callers.stop();

      expect(callers.failures).toEqual([]);
      expect(await missingFrom(topic, callers.acknowledged)).toEqual([]);
    },
    60_000,
  );

  /**
   * As many events again as timed out: kafkajs gives them the sequence numbers of those that did,
   * which the broker has stored meanwhile, and so takes the later ones for their repetition.
   */
  async function publishInTheirPlace(wrap?: (driver: KafkaDriver) => Producers) {
    const topic = await createTopic(broker.brokers);
    const { publisher, recycled } = new TestPublisher(broker.brokers, topic, {
      connection: IMPATIENT,
      ...(wrap && { wrap }),
    });
    const publishAll = (deadlineMs: number) =>
      Promise.allSettled(
        Array.from({ length: CALLERS }, () =>
          publisher.publish(OrderCreated, { orderId: 'one' }, { deadlineMs }),
        ),
      );
    await publishAll(30_000);
    broker.pause();
    const timedOut = await publishAll(REQUEST_TIMEOUT_MS / 2);
    await eventually(() => recycled.length > 0, { message: 'the end of the send' });
    const acknowledging = publishAll(30_000);
    await sleep(REQUEST_TIMEOUT_MS / 2);
    broker.resume();
    const acknowledged = (await acknowledging).flatMap((result) =>
      result.status === 'fulfilled' ? [result.value.eventId] : [],
    );

    expect(timedOut.every(({ status }) => status === 'rejected')).toBe(true);
    expect(acknowledged).toHaveLength(CALLERS);
    return { lost: (await missingFrom(topic, acknowledged)).length };
  }

  it('loses nothing acknowledged after a timeout: the producer that timed out is not used again', async () => {
    expect(await publishInTheirPlace()).toEqual({ lost: 0 });
  });

  it('would lose all of it if that producer went on, as it does in bare kafkajs', async () => {
    expect(await publishInTheirPlace(withoutRecycling)).toEqual({ lost: CALLERS });
  });

  it('stopped for longer than the deadline: rejects in time, with the id', async () => {
    const topic = await createTopic(broker.brokers);
    const { publisher } = new TestPublisher(broker.brokers, topic);
    await publisher.publish(OrderCreated, { orderId: 'o' });
    await broker.shutDown();
    onCleanup(() => broker.boot());

    const startedAt = performance.now();
    const publishing = publisher.publish(
      OrderCreated,
      { orderId: 'o' },
      { eventId: 'mine', deadlineMs: 2_000 },
    );
    await expect(publishing).rejects.toBeInstanceOf(PublishDeadlineError);
    await expect(publishing).rejects.toMatchObject({ eventId: 'mine', retryable: true });
    expect(performance.now() - startedAt).toBeGreaterThan(1_900);
    expect(performance.now() - startedAt).toBeLessThan(3_000);
  });
});

/** Callers that publish one event after the other, and what they were told. */
class Callers {
  readonly acknowledged: string[] = [];
  readonly failures: PublishError[] = [];
  private stopped = false;
  private readonly running: Promise<unknown>;

  constructor(private readonly publisher: EventPublisher) {
    this.running = Promise.all(
      Array.from({ length: CALLERS }, (_, i) => this.publishUntilStopped(`order-${i}`)),
    );
    onCleanup(() => this.stop());
  }

  /** Waits until each has had some more events acknowledged. */
  async progress(): Promise<void> {
    const target = this.acknowledged.length + 5 * CALLERS;
    await eventually(() => this.acknowledged.length >= target, { timeoutMs: 25_000 });
  }

  async stop(): Promise<void> {
    this.stopped = true;
    await this.running;
  }

  private async publishUntilStopped(orderId: string): Promise<void> {
    while (!this.stopped) {
      try {
        const { eventId } = await this.publisher.publish(OrderCreated, { orderId });
        this.acknowledged.push(eventId);
      } catch (error) {
        if (!(error instanceof PublishError)) throw error;
        this.failures.push(error);
        return;
      }
    }
  }
}

type Producers = Pick<KafkaDriver, 'producer'>;

/** One producer for ever, however often it failed. */
function withoutRecycling(driver: KafkaDriver): Producers {
  const only = driver.producer();
  onCleanup(() => only.close());
  return {
    producer: () => ({
      send: (topic, records) => only.send(topic, records),
      close: () => Promise.resolve(),
    }),
  };
}
