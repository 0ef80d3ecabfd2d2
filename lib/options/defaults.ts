import type { AdaptivePolicy } from '../consuming/adaptive-limit.js';
import type { BatchPolicy, HandlerSettings } from '../consuming/handler-options.js';
import type { FeedSettings } from '../legacy/legacy-feed.js';
import type { CachePolicy } from '../fallback/reply-cache.js';
import type { SyncServiceSettings } from '../fallback/sync-service.js';
import type { SyncStatus } from '../kafka-events.errors.js';
import { DEFAULT_CRASH_LOOP } from '../failure/crash-loop.js';
import { redactSecrets } from '../failure/redact.js';
import { DEFAULT_RETRY } from '../failure/retry-policy.js';
import type { OutboxSettings } from '../outbox/outbox-options.js';
import type {
  ConnectionSettings,
  DeadLetterSettings,
  DirectDeliverySettings,
  GroupSettings,
  KafkaEventsSettings,
  ProducerSettings,
} from '../kafka-events.options.js';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
export const DAY = 24 * 60 * MINUTE;
const MIB = 1024 * 1024;

/** What the options do not say. */
interface Defaults
  extends
    Omit<ConnectionSettings, 'clientId' | 'brokers' | 'ssl' | 'sasl'>,
    Pick<
      KafkaEventsSettings,
      | 'consume'
      | 'connect'
      | 'onUnavailable'
      | 'topics'
      | 'createPartitions'
      | 'topicName'
      | 'maxBufferedBytes'
      | 'retry'
      | 'outage'
      | 'crashLoop'
      | 'globalEnhancers'
      | 'missingId'
      | 'tombstones'
      | 'shutdownDrainMs'
      | 'nestTransport'
      | 'retryTopic'
    > {
  readonly allowInsecure: boolean;
  /** Heartbeat and drain give way to a short session, the rebalance timeout to a long one. */
  readonly group: Omit<GroupSettings, 'groupId'>;
  readonly producer: ProducerSettings;
  readonly deadLetter: DeadLetterSettings;
  readonly idempotency: Omit<KafkaEventsSettings['idempotency'], 'store'>;
  readonly handler: Pick<
    HandlerSettings,
    'concurrency' | 'ordering' | 'timeoutMs' | 'onDeadLetter' | 'acceptsDirect'
  >;
  readonly syncService: Omit<SyncServiceSettings, 'name' | 'transport' | 'methods' | 'path'>;
  readonly replyCache: CachePolicy;
  readonly feed: Pick<FeedSettings, 'everyMs' | 'pollTimeoutMs' | 'onInvalid'>;
  readonly outbox: Omit<OutboxSettings, 'store'>;
  readonly adaptive: Omit<AdaptivePolicy, 'max'>;
  readonly batch: BatchPolicy;
  readonly directDelivery: Omit<DirectDeliverySettings, 'transport'>;
}

/** Every default of the module, in one place. */
export const DEFAULTS = {
  allowInsecure: false,
  connectionTimeoutMs: 5 * SECOND,
  requestTimeoutMs: 30 * SECOND,
  retries: 5,
  retryInitialDelayMs: 100,
  maxDecompressedBatchBytes: 64 * MIB,
  patchKafkaJs: true,
  consume: true,
  connect: true,
  onUnavailable: 'retry',
  topics: 'verify',
  createPartitions: 6,
  topicName: (topic) => topic,
  maxBufferedBytes: 64 * MIB,
  globalEnhancers: false,
  missingId: 'derive',
  tombstones: false,
  shutdownDrainMs: 20 * SECOND,
  nestTransport: { ordering: 'partition' },
  group: {
    sessionTimeoutMs: 30 * SECOND,
    rebalanceTimeoutMs: 60 * SECOND,
    heartbeatIntervalMs: 3 * SECOND,
    maxBytesPerPartition: MIB,
    maxWaitTimeMs: 200,
    commitIntervalMs: 500,
    maxSpan: 10_000,
    maxConcurrency: Number.POSITIVE_INFINITY,
    revokeDrainMs: 10 * SECOND,
    metadataMaxAgeMs: 30 * SECOND,
    stallAfterMs: MINUTE,
  },
  producer: {
    maxRecordBytes: MIB,
    deadlineMs: 30 * SECOND,
    maxBufferedEvents: 10_000,
    maxBufferedBytes: 32 * MIB,
    onBufferFull: 'wait',
    maxBatchRecords: 500,
  },
  retry: DEFAULT_RETRY,
  retryTopic: {
    delaysMs: null,
    topicName: (topic, groupId) => `${topic}.${groupId}.retry`,
    maxWaitingRecords: 500,
    maxWaitingBytes: 16 * MIB,
  },
  outage: { records: 20, failing: 0.5, maxProbeDelayMs: 30 * SECOND },
  crashLoop: DEFAULT_CRASH_LOOP,
  idempotency: { windowMs: 30 * MINUTE, onStoreError: 'pause' },
  deadLetter: {
    topicName: (topic) => `${topic}.dlq`,
    includeStack: false,
    redact: redactSecrets,
    onUndeliverable: 'hold',
  },
  syncService: {
    breaker: {
      calls: 20,
      minCalls: 10,
      failing: 0.5,
      slowCallMs: null,
      slow: 0.8,
      openMs: 5 * SECOND,
      maxOpenMs: MINUTE,
      probes: 2,
      probeTimeoutMs: 5 * SECOND,
    },
    bulkhead: { maxConcurrent: 32, maxQueued: 64 },
    retry: {
      attempts: 3,
      initialDelayMs: 50,
      factor: 2,
      maxDelayMs: SECOND,
      statuses: new Set<SyncStatus>(['UNAVAILABLE']),
      budget: 0.2,
    },
    failureStatuses: new Set<SyncStatus>([
      ...(['UNAVAILABLE', 'DEADLINE_EXCEEDED', 'RESOURCE_EXHAUSTED'] as const),
      ...(['INTERNAL', 'UNKNOWN', 'DATA_LOSS'] as const),
    ]),
    hurryMs: 50,
    unnamed: { idempotent: false, deadlineMs: SECOND, fallbacks: [] },
  },
  feed: { everyMs: 5 * SECOND, pollTimeoutMs: 30 * SECOND, onInvalid: 'hold' },
  replyCache: {
    kind: 'cache',
    maxAgeMs: MINUTE,
    maxEntries: 1_000,
    key: (request) => JSON.stringify(request),
  },
  outbox: { relay: true, batchSize: 500, pollMs: SECOND, leaseMs: 10 * SECOND },
  adaptive: { min: 1, tolerance: 1.5 },
  handler: {
    concurrency: 16,
    ordering: 'key',
    timeoutMs: 5 * MINUTE,
    onDeadLetter: 'continue',
    acceptsDirect: false,
  },
  batch: { maxSize: 500, maxWaitMs: 200 },
  directDelivery: { deadlineMs: 30 * SECOND, maxInFlight: 64, rememberMs: DAY },
} satisfies Defaults;
