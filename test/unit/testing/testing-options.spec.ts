import { describe, expect, it } from '@jest/globals';

import type { ConnectionSettings } from '../../../lib/kafka/connection.js';
import type { KafkaDriver } from '../../../lib/kafka/driver.js';
import type { KafkaEventsOptions } from '../../../lib/kafka-events.options.js';
import { resolveOptions } from '../../../lib/resolve-options.js';
import { EventJournal } from '../../../lib/testing/event-journal.js';
import { TestKafka } from '../../../lib/testing/test-kafka.js';
import { TEST_OPTIONS, testingOptions } from '../../../lib/testing/testing-options.js';
import { onCleanup } from '../../support/cleanup.js';

const driver: KafkaDriver = { name: 'none', consumer: unused, producer: unused, admin: unused };
function unused(): never {
  throw new Error('not used by this test');
}

async function onRealKafka(
  application: KafkaEventsOptions = {},
  test: KafkaEventsOptions = {},
): Promise<KafkaEventsOptions> {
  const kafka = await TestKafka.start({ brokers: ['real:9092'] });
  return testingOptions(test, kafka, new EventJournal())(application);
}

describe('the options of a test', () => {
  it('need none of the application', async () => {
    const options = await onRealKafka();
    expect(options).toMatchObject({
      ...TEST_OPTIONS,
      clientId: 'test',
      consumer: { ...TEST_OPTIONS.consumer, groupId: 'test' },
      brokers: ['real:9092'],
    });
    expect(() => resolveOptions(options, {}, () => driver)).not.toThrow();
  });

  it('keep what the application says, but for what tests want, but for what the test says', async () => {
    const application: KafkaEventsOptions = {
      clientId: 'shop',
      topics: 'verify',
      missingId: 'dead-letter',
      consumer: { groupId: 'shop', maxSpan: 5, commitIntervalMs: 9_000, maxWaitTimeMs: 9_000 },
      retry: { attempts: 8, initialDelayMs: 9_000, factor: 3 },
      handlers: { 'Orders.reserve': { concurrency: 2 }, 'Mail.send': { concurrency: 1 } },
      groups: { mail: { maxSpan: 7 } },
    };
    const test: KafkaEventsOptions = {
      consumer: { maxWaitTimeMs: 20 },
      retry: { attempts: 2 },
      handlers: { 'Orders.reserve': { concurrency: 9 } },
    };
    const given = structuredClone(application);

    expect(await onRealKafka(application, test)).toMatchObject({
      clientId: 'shop',
      topics: 'create',
      missingId: 'dead-letter',
      consumer: { groupId: 'shop', maxSpan: 5, commitIntervalMs: 50, maxWaitTimeMs: 20 },
      retry: { attempts: 2, initialDelayMs: 10, factor: 3 },
      handlers: { 'Orders.reserve': { concurrency: 9 }, 'Mail.send': { concurrency: 1 } },
      groups: { mail: { maxSpan: 7 } },
    });
    expect(application).toEqual(given);
  });

  it('never connect to where the application does, nor with its password', async () => {
    const sasl = { mechanism: 'plain', username: 'shop', password: 'of production' } as const;
    const application = { brokers: ['production:9093'], ssl: true, sasl };
    const options = await onRealKafka(application);
    expect(options).toMatchObject({ brokers: ['real:9092'] });
    expect(options).not.toHaveProperty('ssl');
    expect(options).not.toHaveProperty('sasl');

    const ofTest = { ...sasl, password: 'of the test' };
    const secure = await onRealKafka(application, { ssl: true, sasl: ofTest });
    expect(secure).toMatchObject({ ssl: true, sasl: ofTest });
  });

  it('keep the environment’s password from the broker in this process', async () => {
    const kafka = await TestKafka.start();
    onCleanup(() => kafka.stop());
    const connections: ConnectionSettings[] = [];
    const ofTest: KafkaEventsOptions = {
      driver: (connection) => {
        connections.push(connection);
        return driver;
      },
    };
    const environment = { KAFKA_SASL_MECHANISM: 'plain', KAFKA_USER: 'me', KAFKA_PASS: 'secret' };
    const options = testingOptions(ofTest, kafka, new EventJournal())({});
    const settings = resolveOptions(options, environment, () => driver);
    settings.driver(settings.connection);

    expect(connections).toMatchObject([{ brokers: kafka.brokers, ssl: false, sasl: null }]);
  });

  it('watch with the observers of both, and one of their own', async () => {
    const [ofApplication, ofTest] = [{}, {}];
    const options = await onRealKafka({ observers: [ofApplication] }, { observers: [ofTest] });
    expect(options.observers).toHaveLength(3);
    expect(options.observers?.[0]).toBe(ofApplication);
    expect(options.observers?.[1]).toBe(ofTest);
  });
});

describe('names of topics', () => {
  it('are those of the application on the broker in this process', async () => {
    const kafka = await TestKafka.start();
    onCleanup(() => kafka.stop());
    const options = testingOptions(
      {},
      kafka,
      new EventJournal(),
    )({
      topicName: (topic) => `eu.${topic}`,
    });
    const { topicName, deadLetter } = resolveOptions(options, {}, () => driver);

    expect(topicName('orders')).toBe('eu.orders');
    expect(deadLetter.topicName(topicName('orders'))).toBe('eu.orders.dlq');
    expect(kafka.nameOf('shop')).toBe('shop');
  });

  it('are nobody else’s on a real one, dead-letter topics included', async () => {
    const names = async (application: KafkaEventsOptions) => {
      const { topicName, deadLetter } = await onRealKafka(application);
      const orders = String(topicName?.('orders'));
      return [orders, deadLetter?.topicName?.(orders)];
    };
    const [orders, deadLetters] = await names({ topicName: (topic) => `eu.${topic}` });
    expect(orders).toMatch(/^test-[0-9a-f]{8}-eu\.orders$/);
    expect(deadLetters).toBe(`${String(orders)}.dlq`);

    const [, shared] = await names({ deadLetter: { topicName: () => 'graveyard' } });
    expect(shared).toMatch(/^test-[0-9a-f]{8}-graveyard$/);
    const [another] = await names({ topicName: (topic) => `eu.${topic}` });
    expect(another).not.toBe(orders);
  });
});

describe('TestKafka', () => {
  it('is the one that the environment names, unless the test names another', async () => {
    const before = process.env.KAFKA_EVENTS_TEST_BROKERS;
    process.env.KAFKA_EVENTS_TEST_BROKERS = ' a:9092, b:9092,';
    onCleanup(() => {
      if (before === undefined) delete process.env.KAFKA_EVENTS_TEST_BROKERS;
      else process.env.KAFKA_EVENTS_TEST_BROKERS = before;
    });
    const real = await TestKafka.start();
    expect(real).toMatchObject({ brokers: ['a:9092', 'b:9092'], embedded: null });
    expect(real.nameOf(real.nameOf('orders'))).toBe(real.nameOf('orders'));
    expect(await TestKafka.start({ brokers: ['c:9092'] })).toMatchObject({ brokers: ['c:9092'] });
  });
});
