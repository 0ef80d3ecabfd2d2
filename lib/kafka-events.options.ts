import type { ConnectionOptions as TlsOptions } from 'node:tls';

import type { Clock } from './contracts/clock.js';
import type { Deserializer, KafkaOptions } from '@nestjs/microservices';

import type { DirectTarget, DirectTransport } from './consuming/direct/direct-transport.js';
import type { EventHandlerOverrides, Ordering } from './consuming/handler-options.js';
import type { SyncRegistration, SyncServiceSettings } from './fallback/sync-service.js';
import type { CursorStore } from './legacy/cursor-store.js';
import type { LegacyFeed } from './legacy/legacy-feed.js';
import type { LegacySettings } from './legacy/legacy-feeds.js';
import type { CrashLoopOptions, CrashLoopPolicy } from './failure/crash-loop.js';
import type { OutageOptions, OutagePolicy } from './failure/outage-breaker.js';
import type { RetryOptions, RetryPolicy } from './failure/retry-policy.js';
import type { IdempotencyStore } from './idempotency/idempotency-store.js';
import type { ConnectionSettings, SaslOptions } from './kafka/connection.js';
import type { KafkaDriver } from './kafka/driver.js';
import type { KafkaEventsObserver } from './observability/observer.js';
import type { ViewDefinition } from './views/view-definition.js';
import type { ViewStore } from './views/view-store.js';
import type { ViewsOptions } from './views/views-options.js';
import type { OutboxOptions, OutboxSettings } from './outbox/outbox-options.js';

/** Not exported by Nest under its name. */
type KafkaParserConfig = NonNullable<NonNullable<KafkaOptions['options']>['parser']>;

export interface ConsumerOptions {
  /** Default group of all handlers. Environment: `KAFKA_GROUP_ID`. */
  readonly groupId?: string;
  /** Default 30 s. Also the lease of a claim. */
  readonly sessionTimeoutMs?: number;
  /** At least the session timeout. Default 60 s, or a longer session's timeout. */
  readonly rebalanceTimeoutMs?: number;
  /** At most a third of the session timeout. Default 3 s, or a third of a shorter session. */
  readonly heartbeatIntervalMs?: number;
  /** Bytes fetched per partition and request. Default 1 MiB. */
  readonly maxBytesPerPartition?: number;
  /** Longest wait of one fetch, and of a resumed partition for its next. Default 200 ms. */
  readonly maxWaitTimeMs?: number;
  /** How often offsets are committed. Default 500 ms. */
  readonly commitIntervalMs?: number;
  /** Unsettled span of one partition at which that partition pauses. Default 10,000 records. */
  readonly maxSpan?: number;
  /** Bytes held by unsettled records of all groups at which the fullest partitions pause. Default 64 MiB. */
  readonly maxBufferedBytes?: number;
  /** Handlers of one group running at once in this process. Default: no limit beyond their own. */
  readonly maxConcurrency?: number;
  /**
   * How long running handlers may finish before a rejoin; at most a third of the session. Default
   * 10 s, or that third where it is shorter.
   */
  readonly revokeDrainMs?: number;
  /** How soon new partitions of a topic, or a topic that comes back, are noticed. Default 30 s. */
  readonly metadataMaxAgeMs?: number;
  /** A partition whose oldest record is unsettled for longer is reported as stalled. Default 60 s. */
  readonly stallAfterMs?: number;
}

/** What the module's `groups: { [id]: … }` may override for one consumer group. */
export type GroupOverrides = Omit<ConsumerOptions, 'groupId' | 'maxBufferedBytes'>;

export interface ProducerOptions {
  /** Largest record, key + value + headers before compression. Default 1 MiB. */
  readonly maxRecordBytes?: number;
  /** How long `publish` may take in all, waiting for the broker included. Default 30 s. */
  readonly deadlineMs?: number;
  /** Events that may wait for acknowledgement. Default 10,000. */
  readonly maxBufferedEvents?: number;
  /** Bytes that may wait for acknowledgement. Default 32 MiB. */
  readonly maxBufferedBytes?: number;
  /** A full buffer makes `publish` wait (default) or fail at once. */
  readonly onBufferFull?: 'wait' | 'fail';
  /** Records of one partition in one request. Default 500: the client's grouping is quadratic. */
  readonly maxBatchRecords?: number;
}

export interface IdempotencyOptions {
  /**
   * `'memory'` for one instance, or a shared store. Outside development and test it must be chosen.
   */
  readonly store?: IdempotencyStore | 'memory';
  /** How long a finished event is remembered. Default 30 minutes. */
  readonly windowMs?: number;
  /** Store away: hold the records (default), or handle them without dedup. */
  readonly onStoreError?: 'pause' | 'process';
}

export interface DeadLetterOptions {
  /** Name of a topic's dead-letter topic. Default `<topic>.dlq`, after `topicName`. */
  readonly topicName?: (topic: string) => string;
  /** Whether dead letters carry the stack of the error. Default false. */
  readonly includeStack?: boolean;
  /** Takes secrets out of error messages before they leave the process. */
  readonly redact?: (message: string) => string;
  /** A dead letter that is too large: keep the record waiting, loudly (default), or write a pointer to it. */
  readonly onUndeliverable?: 'hold' | 'pointer';
}

/** Retry topics: see `retryTopic` of a handler, which says what they give up. */
export interface RetryTopicsOptions {
  /** Default of `retryTopic.delaysMs` of all handlers. Default: none, and no retry topics. */
  readonly delaysMs?: readonly number[];
  /** Name of a group's retry topic of a physical topic. Default `<topic>.<group>.retry`. */
  readonly topicName?: (topic: string, groupId: string) => string;
  /** Records of one partition of a retry topic that may wait in memory; then it pauses. Default 500. */
  readonly maxWaitingRecords?: number;
  /** Bytes that all records of retry topics may hold in this process. Default 16 MiB. */
  readonly maxWaitingBytes?: number;
}

/** How `KafkaEventsServer` reads records and orders them: for `@EventPattern` controllers. */
export interface NestTransportOptions {
  /** Order of the handlers that `handlers` says nothing else of. Default `'partition'`, as in Nest. */
  readonly ordering?: Ordering;
  /** Of Nest's `KafkaParser`. */
  readonly parser?: KafkaParserConfig;
  /** In place of Nest's own, which takes the parsed value as it is. */
  readonly deserializer?: Deserializer;
}

/** What operations of `HybridRouter` may use. */
export interface HybridOptions {
  /**
   * Where events may be handed to at once when they cannot be published, by the names that operations know
   * them by: `deliverTo({ … })` of `nestjs-kafka-events/grpc`. Default: nowhere.
   */
  readonly directTo?: Readonly<Record<string, DirectTarget>>;
}

/** How events reach handlers with `acceptsDirect` past Kafka. */
export interface DirectDeliveryOptions {
  /** Where they come from: `eventDelivery({ … })` of `nestjs-kafka-events/grpc`. */
  readonly transport: DirectTransport;
  /** The longest a delivery may take; a caller's own deadline may be shorter. Default 30 s. */
  readonly deadlineMs?: number;
  /** Deliveries under way at once in this process, from 1 to 256; more are refused. Default 64. */
  readonly maxInFlight?: number;
  /**
   * How long a handled event is remembered at the least: its copy comes when Kafka is back. Default a day.
   */
  readonly rememberMs?: number;
}

/** Systems that know no events, whose changes become some. */
export interface LegacyOptions {
  /** Each made by `legacyFeed(…)`. */
  readonly feeds?: readonly LegacyFeed[];
  /** How far each feed is. Default: in memory, so that feeds begin anew with the process. */
  readonly cursors?: CursorStore;
}

/** Other services that this one calls, for `SyncFallbackClient`. */
export interface SyncOptions {
  /** Each made by `syncService(…)`. */
  readonly services?: readonly SyncRegistration[];
}

/** Options of `KafkaEventsModule.forRoot`; environment variables fill what is absent. */
export interface KafkaEventsOptions {
  /** Environment: `KAFKA_CLIENT_ID`. */
  readonly clientId?: string;
  /** `host:port` each. Environment: `KAFKA_BROKERS`, comma-separated. */
  readonly brokers?: readonly string[];
  /** Environment: `KAFKA_SSL` (`true` or `false`). */
  readonly ssl?: boolean | TlsOptions;
  /** Environment: `KAFKA_SASL_MECHANISM`, `KAFKA_USER`, `KAFKA_PASS`. */
  readonly sasl?: SaslOptions;
  /** Allows a password over a connection without TLS. Default false. */
  readonly allowInsecure?: boolean;
  /** Default 5 s. */
  readonly connectionTimeoutMs?: number;
  /** Default 30 s. */
  readonly requestTimeoutMs?: number;
  /** False in pods that only publish: handlers are not started. Default true. */
  readonly consume?: boolean;
  /** False in tests without Kafka: nothing connects, `publish` rejects. Default true. */
  readonly connect?: boolean;
  /** Broker away at boot: boot unready and keep trying (default), or fail the boot. */
  readonly onUnavailable?: 'retry' | 'fail';
  /** Topics needed at boot: check that they exist (default), create the missing ones, or do not look. */
  readonly topics?: 'verify' | 'create' | 'unchecked';
  /** Partitions of topics created by `topics: 'create'`. Default 6. */
  readonly createPartitions?: number;
  /** Physical name of a declared topic, for example a prefix per environment. */
  readonly topicName?: (topic: string) => string;
  readonly consumer?: ConsumerOptions;
  readonly producer?: ProducerOptions;
  /** Defaults of all handlers. */
  readonly retry?: RetryOptions;
  readonly retryTopic?: RetryTopicsOptions;
  /** When a handler's failures are an outage: it is held then. `false`: never. Default of all handlers. */
  readonly outage?: OutageOptions | false;
  /**
   * When a record is taken for one that kills its process, and dead-lettered; needs a shared store that
   * tells, as Redis does. `false`: never.
   */
  readonly crashLoop?: CrashLoopOptions | false;
  readonly idempotency?: IdempotencyOptions;
  readonly deadLetter?: DeadLetterOptions;
  /** Materialised views; `MaterialisedViews` gives them to read from. Default: none. */
  readonly views?: ViewsOptions;
  /** Where `EventOutbox` keeps events until they are published. Default: none. */
  readonly outbox?: OutboxOptions;
  /** Overrides of decorators by handler id. */
  readonly handlers?: Readonly<Record<string, EventHandlerOverrides>>;
  /** Overrides by consumer group. */
  readonly groups?: Readonly<Record<string, GroupOverrides>>;
  /** True runs the application's global guards, pipes, interceptors and filters for events too. Default false. */
  readonly globalEnhancers?: boolean;
  /** A record without an event id: derive one from its position (default), or dead-letter it. */
  readonly missingId?: 'derive' | 'dead-letter';
  /** Default of `tombstones` of all handlers. Default false: records without a value settle unhandled. */
  readonly tombstones?: boolean;
  /** How long shutdown waits for running handlers. Default 20 s. */
  readonly shutdownDrainMs?: number;
  /** Decompressed size that one fetched batch may reach. Default 64 MiB. */
  readonly maxDecompressedBatchBytes?: number;
  /** False leaves kafkajs 2.2.4 as it is, timer loop and unbounded decompression included. Default true. */
  readonly patchKafkaJs?: boolean;
  /** For `@EventPattern` controllers behind `KafkaEventsServer`. */
  readonly nestTransport?: NestTransportOptions;
  readonly hybrid?: HybridOptions;
  /** Lets others deliver events to handlers with `acceptsDirect`. Default: nobody listens. */
  readonly directDelivery?: DirectDeliveryOptions;
  readonly sync?: SyncOptions;
  readonly legacy?: LegacyOptions;
  readonly observers?: readonly KafkaEventsObserver[];
  /** Another Kafka client. Default: kafkajs. @experimental */
  readonly driver?: (connection: ConnectionSettings) => KafkaDriver;
  /** @internal */
  readonly clock?: Clock;
}

/** One consumer group's options with every default filled in. */
export interface GroupSettings {
  readonly groupId: string;
  readonly sessionTimeoutMs: number;
  readonly rebalanceTimeoutMs: number;
  readonly heartbeatIntervalMs: number;
  readonly maxBytesPerPartition: number;
  readonly maxWaitTimeMs: number;
  readonly commitIntervalMs: number;
  readonly maxSpan: number;
  readonly maxConcurrency: number;
  readonly revokeDrainMs: number;
  readonly metadataMaxAgeMs: number;
  readonly stallAfterMs: number;
}

export type ProducerSettings = Readonly<Required<ProducerOptions>>;
export type DeadLetterSettings = Readonly<Required<DeadLetterOptions>>;

export type RetryTopicSettings = Readonly<Required<Omit<RetryTopicsOptions, 'delaysMs'>>> & {
  /** Null: handlers that say nothing have none. */
  readonly delaysMs: readonly number[] | null;
};

export type NestTransportSettings = NestTransportOptions &
  Readonly<Required<Pick<NestTransportOptions, 'ordering'>>>;

export type DirectDeliverySettings = Readonly<Required<DirectDeliveryOptions>>;

/** The module's options, checked and complete: what everything else reads. */
export interface KafkaEventsSettings {
  readonly connection: ConnectionSettings;
  readonly consume: boolean;
  readonly connect: boolean;
  readonly onUnavailable: 'retry' | 'fail';
  readonly topics: 'verify' | 'create' | 'unchecked';
  readonly createPartitions: number;
  readonly topicName: (topic: string) => string;
  /** Group of handlers that name none; null when neither option nor environment gives one. */
  readonly defaultGroupId: string | null;
  /** Settings of a group: defaults, `consumer`, then `groups[groupId]`. */
  readonly group: (groupId: string) => GroupSettings;
  readonly maxBufferedBytes: number;
  readonly producer: ProducerSettings;
  readonly retry: RetryPolicy;
  readonly retryTopic: RetryTopicSettings;
  readonly outage: OutagePolicy | null;
  readonly crashLoop: CrashLoopPolicy | null;
  readonly idempotency: {
    readonly store: IdempotencyStore;
    readonly windowMs: number;
    readonly onStoreError: 'pause' | 'process';
  };
  readonly deadLetter: DeadLetterSettings;
  /** Null: there are none. */
  readonly views: { readonly store: ViewStore; readonly views: readonly ViewDefinition[] } | null;
  readonly outbox: OutboxSettings | null;
  readonly handlerOverrides: Readonly<Record<string, EventHandlerOverrides>>;
  readonly globalEnhancers: boolean;
  readonly missingId: 'derive' | 'dead-letter';
  readonly tombstones: boolean;
  readonly shutdownDrainMs: number;
  readonly nestTransport: NestTransportSettings;
  /** Where events may be delivered to directly, by name. */
  readonly directTo: ReadonlyMap<string, DirectTarget>;
  /** Null: nobody listens. */
  readonly directDelivery: DirectDeliverySettings | null;
  readonly sync: readonly SyncServiceSettings[];
  readonly legacy: LegacySettings;
  readonly observers: readonly KafkaEventsObserver[];
  readonly driver: (connection: ConnectionSettings) => KafkaDriver;
  readonly clock: Clock;
}

export type { ConnectionSettings, SaslOptions };
