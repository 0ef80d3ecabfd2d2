import { randomBytes } from 'node:crypto';
import { expect, it } from '@jest/globals';
import {
  EventTooLargeError,
  InvalidEventError,
  PublishAllError,
  PublisherClosedError,
  UnknownTopicError,
} from '../../lib/kafka-events.errors.js';
import { event } from '../../lib/publishing/publish-options.js';
import { describeEachKafka } from '../support/each-kafka.js';
import { OrderCreated } from '../support/shop-events.js';
import { eventIdsIn, TestPublisher } from '../support/test-publisher.js';
import { createTopic, uniqueName } from '../support/unique-topic.js';

describeEachKafka(
  'what cannot be published is refused by name, with the id of the event',
  (brokers) => {
    it('a topic that does not exist: at once, although deadline and retries would allow for more', async () => {
      const { publisher } = new TestPublisher(brokers, uniqueName('missing'), {
        connection: { retryInitialDelayMs: 2_000 },
      });
      const startedAt = performance.now();
      const publishing = publisher.publish(OrderCreated, { orderId: 'o' }, { eventId: 'mine' });
      await expect(publishing).rejects.toBeInstanceOf(UnknownTopicError);
      await expect(publishing).rejects.toMatchObject({ eventId: 'mine', retryable: false });
      expect(performance.now() - startedAt).toBeLessThan(5_000);
    });

    it('an event larger than allowed, or than the topic takes; the others of its request arrive', async () => {
      const topic = await createTopic(brokers, { config: { 'max.message.bytes': '20000' } });
      const { publisher } = new TestPublisher(brokers, topic, {
        producer: { maxRecordBytes: 200_000 },
      });
      const orderOf = (bytes: number) => ({ orderId: randomBytes(bytes).toString('base64') });

      const beyondOwnLimit = publisher.publish(OrderCreated, orderOf(200_000), { eventId: 'huge' });
      await expect(beyondOwnLimit).rejects.toBeInstanceOf(EventTooLargeError);
      await expect(beyondOwnLimit).rejects.toMatchObject({ eventId: 'huge' });

      // Within our own limit with its key and headers, beyond the topic's even compressed.
      const orders = Array.from({ length: 20 }, (_, i) =>
        i === 13 ? orderOf(30_000) : orderOf(9),
      );
      const results = await Promise.allSettled(
        orders.map((order, i) => publisher.publish(OrderCreated, order, { eventId: `id-${i}` })),
      );
      const refused = results.flatMap((result) =>
        result.status === 'rejected' ? [result.reason as unknown] : [],
      );
      expect(refused).toMatchObject([{ code: 'EVENT_TOO_LARGE', eventId: 'id-13' }]);
      expect(String(refused[0])).toContain('the broker refused its size');
      const stored = new Set(await eventIdsIn(brokers, topic));
      expect(stored.size).toBe(19);
      expect(stored).not.toContain('id-13');
    });

    it('requests larger than the topic takes are none: they are made smaller until they fit', async () => {
      const topic = await createTopic(brokers, { config: { 'max.message.bytes': '20000' } });
      const { publisher } = new TestPublisher(brokers, topic);
      const orders = Array.from({ length: 40 }, () => randomBytes(3_000).toString('base64'));
      const receipts = await publisher.publishAll(
        orders.map((orderId) => event(OrderCreated, { orderId })),
      );
      const ids = receipts.map(({ eventId }) => eventId);
      expect([...new Set(await eventIdsIn(brokers, topic))]).toEqual(ids);
    });

    it('an invalid payload among others: none of them is sent', async () => {
      const topic = await createTopic(brokers);
      const { publisher } = new TestPublisher(brokers, topic);
      // @ts-expect-error what callers in JavaScript do
      const publishing = publisher.publish(OrderCreated, { orderId: 7 }, { eventId: 'mine' });
      await expect(publishing).rejects.toBeInstanceOf(InvalidEventError);
      await expect(publishing).rejects.toMatchObject({
        eventId: 'mine',
        issues: [{ path: 'orderId' }],
      });

      const publishingAll = publisher.publishAll([
        event(OrderCreated, { orderId: 'fine' }),
        // @ts-expect-error what callers in JavaScript do
        event(OrderCreated, {}, { eventId: 'mine' }),
      ]);
      await expect(publishingAll).rejects.toBeInstanceOf(PublishAllError);
      await expect(publishingAll).rejects.toMatchObject({
        receipts: [],
        failures: [{ index: 1, error: { code: 'INVALID_EVENT', eventId: 'mine' } }],
      });
      await publisher.publish(OrderCreated, { orderId: 'o' }, { eventId: 'last' });
      expect(await eventIdsIn(brokers, topic)).toEqual(['last']);
    });

    it('anything after the shutdown, which itself lets what is under way arrive', async () => {
      const topic = await createTopic(brokers);
      const { publisher } = new TestPublisher(brokers, topic);
      const underWay = publisher.publish(OrderCreated, { orderId: 'o' }, { eventId: 'under way' });
      await publisher.close(10_000);
      const late = publisher.publish(OrderCreated, { orderId: 'o' }, { eventId: 'late' });
      await expect(late).rejects.toBeInstanceOf(PublisherClosedError);
      await expect(late).rejects.toMatchObject({ eventId: 'late' });
      expect(await underWay).toMatchObject({ eventId: 'under way', offset: '0' });
      expect(await eventIdsIn(brokers, topic)).toEqual(['under way']);
    });
  },
);

describeEachKafka('what is published', (brokers) => {
  it('arrives where the receipt says, while the objects of the caller stay as they are', async () => {
    const topic = await createTopic(brokers, { partitions: 3 });
    const { publisher } = new TestPublisher(brokers, topic);
    const headers = Object.freeze({ tenant: 'blue' });
    const order = Object.freeze({ orderId: 'order-7' });
    const options = Object.freeze({ eventId: 'mine', headers });
    const receipt = await publisher.publish(OrderCreated, order, options);
    const again = await publisher.publish(OrderCreated, order, options);
    expect(receipt).toEqual({
      eventId: 'mine',
      eventType: 'order.created.v1',
      topic,
      partition: again.partition,
      offset: '0',
    });
    expect(again.offset).toBe('1');
    expect(order).toEqual({ orderId: 'order-7' });
    expect(options).toEqual({ eventId: 'mine', headers: { tenant: 'blue' } });
  });
});
