import { systemClock } from './contracts/clock.js';
import { DEFAULT_RETRY } from './failure/retry-policy.js';
import { MemoryIdempotencyStore } from './idempotency/memory-idempotency-store.js';
import type { KafkaEventsOptions, KafkaEventsSettings } from './kafka-events.options.js';

// Stand-in of the Nest edge until the options engineer's file is here.
export function resolveOptions(
  options: KafkaEventsOptions,
  env: Readonly<Record<string, string | undefined>>,
): KafkaEventsSettings {
  const clock = options.clock ?? systemClock;
  return {
    connection: {
      clientId: options.clientId ?? '',
      brokers: options.brokers ?? [],
      ssl: false,
      sasl: null,
      connectionTimeoutMs: 1_000,
      requestTimeoutMs: 1_000,
      retries: 0,
      retryInitialDelayMs: 1,
      maxDecompressedBatchBytes: 1_048_576,
      patchKafkaJs: false,
    },
    consume: options.consume ?? true,
    connect: options.connect ?? true,
    onUnavailable: 'fail',
    topics: 'unchecked',
    createPartitions: 1,
    topicName: options.topicName ?? ((topic) => topic),
    defaultGroupId: options.consumer?.groupId ?? env['KAFKA_GROUP_ID'] ?? null,
    group: (groupId) => ({
      groupId,
      sessionTimeoutMs: 30_000,
      rebalanceTimeoutMs: 60_000,
      heartbeatIntervalMs: 3_000,
      maxBytesPerPartition: 1_048_576,
      maxWaitTimeMs: 200,
      commitIntervalMs: 5,
      maxSpan: 10_000,
      maxConcurrency: Number.POSITIVE_INFINITY,
      revokeDrainMs: 10_000,
    }),
    maxBufferedBytes: 1_048_576,
    producer: {
      maxRecordBytes: 1_048_576,
      deadlineMs: 1_000,
      maxBufferedEvents: 1_000,
      maxBufferedBytes: 1_048_576,
      onBufferFull: 'wait',
      maxBatchRecords: 500,
    },
    retry: DEFAULT_RETRY,
    idempotency: {
      store: new MemoryIdempotencyStore({ clock }),
      windowMs: 60_000,
      onStoreError: 'pause',
    },
    deadLetter: {
      topicName: (topic) => `${topic}.dlq`,
      includeStack: false,
      redact: (text) => text,
      onUndeliverable: 'hold',
    },
    handlerOverrides: options.handlers ?? {},
    globalEnhancers: options.globalEnhancers ?? false,
    missingId: 'derive',
    tombstones: false,
    shutdownDrainMs: 1_000,
    observers: options.observers ?? [],
    driver:
      options.driver ??
      (() => {
        throw new Error('no driver yet');
      }),
    clock,
  };
}
