import { systemClock } from './contracts/clock.js';
import type { EventHandlerOverrides } from './consuming/handler-options.js';
import type { ConnectionSettings } from './kafka/connection.js';
import type { KafkaDriver } from './kafka/driver.js';
import type { KafkaEventsOptions, KafkaEventsSettings } from './kafka-events.options.js';
import { readConnection } from './options/connection-options.js';
import { readConsumer } from './options/consumer-options.js';
import { readCrashLoop } from './options/crash-loop-options.js';
import { readDeadLetter } from './options/dead-letter-options.js';
import { DEFAULTS } from './options/defaults.js';
import { readDirectDelivery, readDirectTo } from './options/direct-options.js';
import { readEnvironment, type Environment } from './options/environment.js';
import { readHandler, readOutage } from './options/handler-overrides.js';
import { readIdempotency } from './options/idempotency-options.js';
import { readNestTransport } from './options/nest-transport-options.js';
import { OptionProblems } from './options/option-problems.js';
import { COUNT, DRAIN_MS } from './options/option-ranges.js';
import { hasMethods, isObject, OptionSection } from './options/option-section.js';
import { readOutbox } from './options/outbox-options.js';
import { readProducer } from './options/producer-options.js';
import { MemoryCursorStore } from './legacy/cursor-store.js';
import { readLegacy } from './options/legacy-options.js';
import { readSync } from './options/sync-options.js';
import { readRetry, readRetryTopics } from './options/retry-options.js';
import { readViews } from './options/views-options.js';

type Root = OptionSection<KafkaEventsOptions>;
type DriverFactory = (connection: ConnectionSettings) => KafkaDriver;

/**
 * Checks the module's options and fills in environment and defaults, in this order of precedence.
 *
 * The caller's objects are neither changed nor kept, apart from stores, observers, functions and TLS
 * options, which are used as they are.
 *
 * @param defaultDriver used where `options.driver` is absent.
 * @throws InvalidOptionsError listing every problem; none holds a secret.
 */
export function resolveOptions(
  options: KafkaEventsOptions,
  env: NodeJS.ProcessEnv,
  defaultDriver: DriverFactory,
): KafkaEventsSettings {
  const problems = new OptionProblems();
  const root: Root = new OptionSection<KafkaEventsOptions>(problems, '', options);
  const settings = root.readAll(() => readSettings(root, readEnvironment(env), defaultDriver));
  problems.throwIfAny();
  return settings;
}

function readSettings(
  root: Root,
  env: Environment,
  defaultDriver: DriverFactory,
): KafkaEventsSettings {
  const { consume, connect } = readSides(root);
  const clock =
    root.value('clock', 'a clock', (value) =>
      hasMethods(value, ['now', 'setTimeout', 'clearTimeout']),
    ) ?? systemClock;
  const consumer = readConsumer(root, env);
  return {
    connection: readConnection(root, env, connect),
    consume,
    connect,
    onUnavailable: root.oneOf('onUnavailable', ['retry', 'fail']) ?? DEFAULTS.onUnavailable,
    topics: root.oneOf('topics', ['verify', 'create', 'unchecked']) ?? DEFAULTS.topics,
    createPartitions: root.integer('createPartitions', COUNT) ?? DEFAULTS.createPartitions,
    topicName: root.callback('topicName') ?? DEFAULTS.topicName,
    ...consumer,
    producer: root.section('producer', readProducer) ?? DEFAULTS.producer,
    retry: { ...DEFAULTS.retry, ...root.section('retry', readRetry) },
    retryTopic: root.section('retryTopic', readRetryTopics) ?? DEFAULTS.retryTopic,
    outage: withDefaults(readOutage(root)),
    crashLoop: readCrashLoop(root),
    idempotency: readIdempotency(root, env, clock, consume && connect),
    deadLetter: root.section('deadLetter', readDeadLetter) ?? DEFAULTS.deadLetter,
    views: readViews(root, clock, consumer.defaultGroupId !== null),
    outbox: root.section('outbox', readOutbox) ?? null,
    handlerOverrides: readOverrides(root),
    globalEnhancers: root.boolean('globalEnhancers') ?? DEFAULTS.globalEnhancers,
    missingId: root.oneOf('missingId', ['derive', 'dead-letter']) ?? DEFAULTS.missingId,
    tombstones: root.boolean('tombstones') ?? DEFAULTS.tombstones,
    shutdownDrainMs: root.integer('shutdownDrainMs', DRAIN_MS) ?? DEFAULTS.shutdownDrainMs,
    nestTransport: root.section('nestTransport', readNestTransport) ?? DEFAULTS.nestTransport,
    directTo: root.section('hybrid', readDirectTo) ?? new Map<string, never>(),
    directDelivery: root.section('directDelivery', readDirectDelivery) ?? null,
    sync: root.section('sync', readSync) ?? [],
    legacy: root.section('legacy', readLegacy) ?? noFeeds(),
    observers: [...(root.value('observers', 'a list of objects', isListOfObjects) ?? [])],
    driver: root.callback('driver') ?? defaultDriver,
    clock,
  };
}

function noFeeds(): KafkaEventsSettings['legacy'] {
  return { feeds: [], cursors: new MemoryCursorStore() };
}

function withDefaults(outage: ReturnType<typeof readOutage>): KafkaEventsSettings['outage'] {
  return outage === false ? null : { ...DEFAULTS.outage, ...outage };
}

function readSides(root: Root): { readonly consume: boolean; readonly connect: boolean } {
  const consume = root.boolean('consume');
  const connect = root.boolean('connect') ?? DEFAULTS.connect;
  if (consume === true && !connect) {
    root.refuse('consume', 'must not be true with connect: false; handlers need a connection');
  }
  return { consume: consume ?? DEFAULTS.consume, connect };
}

/** Without a prototype: a handler may be called `constructor`. */
function readOverrides(root: Root): KafkaEventsSettings['handlerOverrides'] {
  const overrides = root.record('handlers', readHandler);
  const byId: Record<string, EventHandlerOverrides> = Object.create(null) as Record<string, never>;
  return Object.assign(byId, Object.fromEntries(overrides));
}

function isListOfObjects(value: unknown): boolean {
  return Array.isArray(value) && value.every(isObject);
}
