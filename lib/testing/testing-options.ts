import type { KafkaDriver } from '../kafka/driver.js';
import type { ConnectionSettings } from '../kafka/connection.js';
import type { KafkaEventsOptions } from '../kafka-events.options.js';
import { defaultDriver, type OptionsOverride } from '../kafka-events.module.js';
import { DEFAULTS } from '../options/defaults.js';
import type { EventJournal } from './event-journal.js';
import { TappedDriver } from './tapped-driver.js';
import type { TestKafka } from './test-kafka.js';

/** What an application need not say in a test. */
const NAMES = { clientId: 'test', consumer: { groupId: 'test' } } satisfies KafkaEventsOptions;

/**
 * What tests want whatever the application says: topics that make themselves, an end to what waits
 * before the test runner loses its patience, and no state that outlives the test.
 */
export const TEST_OPTIONS = {
  topics: 'create',
  onUnavailable: 'fail',
  shutdownDrainMs: 2_000,
  consumer: { commitIntervalMs: 50, maxWaitTimeMs: 50, heartbeatIntervalMs: 300 },
  producer: { deadlineMs: 4_000 },
  retry: { initialDelayMs: 10, maxDelayMs: 50 },
  // What fails in a test is meant to: a few poison events are no outage.
  outage: false,
  idempotency: { store: 'memory' },
} satisfies KafkaEventsOptions;

/**
 * Makes the options of a test: those of the application, over them {@link TEST_OPTIONS}, over them
 * those of the test. How to connect is for the test alone to say, names are `kafka`'s to choose, and
 * all that passes is written to the journal.
 */
export function testingOptions(
  ofTest: KafkaEventsOptions,
  kafka: TestKafka,
  journal: EventJournal,
): OptionsOverride {
  return ({ brokers: _brokers, ssl: _ssl, sasl: _sasl, ...ofApplication }) => {
    const options = [ofApplication, TEST_OPTIONS, ofTest].reduce(over, NAMES);
    const { observers = [] } = ofApplication;
    const named = withNamesOf(kafka, options);
    journal.topicName = named.topicName;
    return {
      ...options,
      ...named,
      brokers: kafka.brokers,
      // Passwords of the environment are not for the broker in this process: see `driverFor`.
      ...(kafka.embedded === null ? {} : { allowInsecure: true }),
      observers: [...observers, ...(ofTest.observers ?? []), journal.observer],
      driver: driverFor(options, kafka, journal),
    };
  };
}

function over(base: KafkaEventsOptions, top: KafkaEventsOptions): KafkaEventsOptions {
  return {
    ...base,
    ...top,
    consumer: { ...base.consumer, ...top.consumer },
    producer: { ...base.producer, ...top.producer },
    retry: { ...base.retry, ...top.retry },
    retryTopic: { ...base.retryTopic, ...top.retryTopic },
    idempotency: { ...base.idempotency, ...top.idempotency },
    deadLetter: { ...base.deadLetter, ...top.deadLetter },
    handlers: { ...base.handlers, ...top.handlers },
    groups: { ...base.groups, ...top.groups },
  };
}

function withNamesOf(kafka: TestKafka, { topicName, deadLetter, retryTopic }: KafkaEventsOptions) {
  const nameTopic = topicName ?? DEFAULTS.topicName;
  const nameDeadLetters = deadLetter?.topicName ?? DEFAULTS.deadLetter.topicName;
  const nameParked = retryTopic?.topicName ?? DEFAULTS.retryTopic.topicName;
  return {
    topicName: (topic: string) => kafka.nameOf(nameTopic(topic)),
    deadLetter: {
      ...deadLetter,
      topicName: (topic: string) => kafka.nameOf(nameDeadLetters(topic)),
    },
    retryTopic: {
      ...retryTopic,
      topicName: (topic: string, groupId: string) => kafka.nameOf(nameParked(topic, groupId)),
    },
  };
}

function driverFor(
  {
    driver = defaultDriver,
    topics,
    createPartitions = DEFAULTS.createPartitions,
  }: KafkaEventsOptions,
  kafka: TestKafka,
  journal: EventJournal,
): (connection: ConnectionSettings) => KafkaDriver {
  return (connection) => {
    const open = kafka.embedded === null ? connection : { ...connection, ssl: false, sasl: null };
    return new TappedDriver(driver(open), {
      tap: journal,
      groupName: (groupId) => kafka.nameOf(groupId),
      createPartitions: topics === 'create' ? createPartitions : null,
    });
  };
}
