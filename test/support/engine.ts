import { MemoryCursorStore } from '../../lib/legacy/cursor-store.js';
import { buildGroup } from '../../lib/consuming/build-group.js';
import { EventBatch } from '../../lib/consuming/batch/event-batch.js';
import { BufferBudget } from '../../lib/consuming/buffer-budget.js';
import type { EventContext } from '../../lib/consuming/event-context.js';
import type { BoundHandler } from '../../lib/consuming/event-handler.js';
import type { GroupConsumer } from '../../lib/consuming/group-consumer.js';
import type { BatchPolicy, HandlerSettings } from '../../lib/consuming/handler-options.js';
import { Quarantine } from '../../lib/consuming/quarantine.js';
import { systemClock, type Clock } from '../../lib/contracts/clock.js';
import type { EventContract } from '../../lib/contracts/event-contract.js';
import { DEFAULT_CRASH_LOOP } from '../../lib/failure/crash-loop.js';
import { DEFAULT_RETRY } from '../../lib/failure/retry-policy.js';
import type { IdempotencyStore } from '../../lib/idempotency/idempotency-store.js';
import { MemoryIdempotencyStore } from '../../lib/idempotency/memory-idempotency-store.js';
import type { OutRecord } from '../../lib/kafka/records.js';
import type { GroupSettings, KafkaEventsSettings } from '../../lib/kafka-events.options.js';
import type { KafkaEventsObserver, SignalName, Signals } from '../../lib/observability/observer.js';
import { SignalHub } from '../../lib/observability/signal-hub.js';
import type { EventSink } from '../../lib/publishing/publish-options.js';
import { onCleanup } from './cleanup.js';
import { ModelConsumer, type ModelPartition } from './model-kafka.js';

/** An event whose payload is any JSON; its type header is `<type>.v1`. */
export function anyEvent(type: string, topic = 'orders'): EventContract {
  return {
    name: type,
    type,
    version: 1,
    eventType: `${type}.v1`,
    topic,
    keyOf: () => 'unused',
    validate: (payload) => ({ valid: true, payload }),
  };
}

export type HandlerBody = (payload: unknown, context: EventContext) => unknown;

/** A handler without Nest around it. */
export function handlerOf(
  id: string,
  contracts: readonly EventContract[],
  body: HandlerBody,
  settings: Partial<HandlerSettings> = {},
): BoundHandler {
  return {
    settings: {
      id,
      claimedAs: id,
      aliases: [],
      groupId: 'group',
      concurrency: 16,
      ordering: 'key',
      timeoutMs: 60_000,
      rate: null,
      retry: DEFAULT_RETRY,
      retryTopic: null,
      onDeadLetter: 'continue',
      acceptsDirect: false,
      outage: null,
      idempotency: { windowMs: 60_000, scope: 'event' },
      tombstones: false,
      batch: null,
      ...settings,
    },
    contracts,
    invoke: body,
    faultOf: () => 'body',
    filter: () => null,
  };
}

/** A handler of batches without Nest around it. */
export function batchHandlerOf(
  id: string,
  contracts: readonly EventContract[],
  body: (batch: EventBatch) => unknown,
  { maxSize = 500, maxWaitMs = 200, ...settings }: Partial<HandlerSettings & BatchPolicy> = {},
): BoundHandler {
  const take: HandlerBody = (batch) => {
    if (!(batch instanceof EventBatch)) throw new TypeError('not a batch');
    return body(batch);
  };
  return handlerOf(id, contracts, take, { batch: { maxSize, maxWaitMs }, ...settings });
}

export interface DeadLetterRow {
  readonly topic: string;
  readonly record: OutRecord;
}

export interface EngineOptions {
  readonly group?: Partial<GroupSettings>;
  readonly settings?: Partial<KafkaEventsSettings>;
  readonly clock?: Clock;
  readonly store?: IdempotencyStore;
  /** What handlers publish into; by default they must not. */
  readonly sink?: EventSink;
  readonly observers?: readonly KafkaEventsObserver[];
  /** Of the process; engines that share one are groups of one process. */
  readonly quarantine?: Quarantine;
  /** Called before a record set aside is taken; what it throws is what the broker says. */
  readonly onDeadLetter?: (topic: string, record: OutRecord) => Promise<void> | void;
}

/** One consumer group over model partitions, with what it did in plain sight. */
export interface Engine {
  readonly kafka: ModelConsumer;
  readonly consumer: GroupConsumer;
  readonly signals: { readonly name: SignalName; readonly signal: Signals[SignalName] }[];
  readonly deadLetters: DeadLetterRow[];
  count(name: SignalName): number;
}

/** The real engine (pipeline, lanes, claims, tracker, commits) on a modelled broker. */
export async function startEngine(
  partitions: readonly ModelPartition[],
  handlers: readonly BoundHandler[],
  options: EngineOptions = {},
): Promise<Engine> {
  const kafka = new ModelConsumer(partitions);
  const { clock = systemClock } = options;
  const store = options.store ?? new MemoryIdempotencyStore({ clock });
  const settings = engineSettings(clock, store, options.settings);
  const hub = new SignalHub(options.observers ?? []);
  const signals: Engine['signals'] = [];
  const deadLetters: DeadLetterRow[] = [];
  const { consumer, claims } = buildGroup({ ...GROUP, ...options.group }, handlers, {
    settings,
    driver: { name: 'model', consumer: () => kafka, producer: unused, admin: unused },
    sink: options.sink ?? { publish: unused },
    sendAside: async (topic, record) => {
      await options.onDeadLetter?.(topic, record);
      const { partition, ...content } = record;
      const inTopic = partitions.filter((each) => each.topic === topic);
      const chosen = inTopic[(partition ?? 0) % Math.max(1, inTopic.length)];
      if (chosen === undefined) deadLetters.push({ topic, record });
      else chosen.append(content);
    },
    budget: new BufferBudget(settings.maxBufferedBytes),
    parkedBudget: new BufferBudget(settings.retryTopic.maxWaitingBytes),
    quarantine: options.quarantine ?? new Quarantine(),
    signals: {
      emit: (name, signal) => {
        signals.push({ name, signal });
        hub.emit(name, signal);
      },
    },
    random: () => 0.5,
    owner: `test-${String(Math.random())}`,
  });
  await consumer.start();
  onCleanup(async () => {
    claims.close();
    await consumer.stop(0, 0);
  });
  return { kafka, consumer, signals, deadLetters, count: (name) => hub.counts[name] ?? 0 };
}

const GROUP: GroupSettings = {
  groupId: 'group',
  sessionTimeoutMs: 30_000,
  rebalanceTimeoutMs: 60_000,
  heartbeatIntervalMs: 3_000,
  maxBytesPerPartition: 1_048_576,
  maxWaitTimeMs: 200,
  commitIntervalMs: 5,
  maxSpan: 10_000,
  maxConcurrency: Number.POSITIVE_INFINITY,
  revokeDrainMs: 10_000,
  metadataMaxAgeMs: 30_000,
  stallAfterMs: 60_000,
};

function engineSettings(
  clock: Clock,
  store: IdempotencyStore,
  overrides: Partial<KafkaEventsSettings> = {},
): KafkaEventsSettings {
  return {
    connection: {
      clientId: 'test',
      brokers: ['model:1'],
      ssl: false,
      sasl: null,
      connectionTimeoutMs: 1_000,
      requestTimeoutMs: 1_000,
      retries: 0,
      retryInitialDelayMs: 1,
      maxDecompressedBatchBytes: 1_048_576,
      patchKafkaJs: false,
    },
    consume: true,
    connect: true,
    onUnavailable: 'fail',
    topics: 'unchecked',
    createPartitions: 1,
    topicName: (topic) => topic,
    defaultGroupId: 'group',
    group: (groupId) => ({ ...GROUP, groupId }),
    maxBufferedBytes: 64 * 1_048_576,
    producer: {
      maxRecordBytes: 1_048_576,
      deadlineMs: 1_000,
      maxBufferedEvents: 1_000,
      maxBufferedBytes: 1_048_576,
      onBufferFull: 'wait',
      maxBatchRecords: 500,
    },
    retry: DEFAULT_RETRY,
    retryTopic: {
      delaysMs: null,
      topicName: (topic, groupId) => `${topic}.${groupId}.retry`,
      maxWaitingRecords: 500,
      maxWaitingBytes: 16 * 1_048_576,
    },
    outage: null,
    sync: [],
    legacy: { feeds: [], cursors: new MemoryCursorStore() },
    outbox: null,
    crashLoop: DEFAULT_CRASH_LOOP,
    idempotency: { store, windowMs: 60_000, onStoreError: 'pause' },
    deadLetter: {
      topicName: (topic) => `${topic}.dlq`,
      includeStack: false,
      redact: (text) => text,
      onUndeliverable: 'hold',
    },
    views: null,
    handlerOverrides: {},
    globalEnhancers: false,
    missingId: 'derive',
    tombstones: false,
    shutdownDrainMs: 1_000,
    nestTransport: { ordering: 'partition' },
    directDelivery: null,
    directTo: new Map(),
    observers: [],
    driver: unused,
    clock,
    ...overrides,
  };
}

function unused(): never {
  throw new Error('not used by this test');
}
