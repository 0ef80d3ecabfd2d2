export { KafkaEventsModule } from './kafka-events.module.js';
export type {
  KafkaEventsModuleAsyncOptions,
  KafkaEventsModuleOptions,
  KafkaEventsOptionsFactory,
} from './kafka-events.module.js';
export type {
  ConsumerOptions,
  DeadLetterOptions,
  DirectDeliveryOptions,
  GroupOverrides,
  HybridOptions,
  IdempotencyOptions,
  KafkaEventsOptions,
  NestTransportOptions,
  ProducerOptions,
  RetryTopicsOptions,
  LegacyOptions,
  SyncOptions,
} from './kafka-events.options.js';
export type { ConnectionSettings, SaslOptions } from './kafka/connection.js';
export type { Clock, TimerHandle } from './contracts/clock.js';
export type { MaybePromise } from './contracts/maybe-promise.js';
export type { SqlTransaction } from './contracts/sql-transaction.js';

// What an event is.
export { DomainEvent, type DomainEventDefinition } from './contracts/domain-event.decorator.js';
export { defineEvent, type SchemaEventDefinition } from './contracts/define-event.js';
export type {
  DefinedEvent,
  EventClass,
  EventPayload,
  EventSource,
  PublishPayload,
} from './contracts/event-source.js';
export type { KeyProperty, KeySource, KeyValue } from './contracts/event-key.js';
export type { StandardSchema } from './contracts/standard-schema.js';
export { deterministicEventId } from './contracts/deterministic-id.js';
export { DEAD_LETTER_HEADERS, HEADERS, RETRY_HEADERS } from './contracts/event-headers.js';

// Publishing.
export { EventPublisher, type EventPublisherStats } from './publishing/event-publisher.js';
export type { TopicProducerStats } from './publishing/topic-producer.js';
export { event } from './publishing/publish-options.js';
export type {
  EventSink,
  OutgoingEvent,
  PublishOptions,
  PublishReceipt,
} from './publishing/publish-options.js';

// Publishing with the transaction that an event belongs to.
export { EventOutbox, type OutboxEventOptions, type OutboxReceipt } from './outbox/event-outbox.js';
export type { OutboxOptions } from './outbox/outbox-options.js';
export type {
  HeldRecord,
  OutboxRecord,
  OutboxStats,
  OutboxStore,
  PendingRecord,
} from './outbox/outbox-store.js';

// Handling.
export { EventHandler } from './consuming/event-handler.decorator.js';
export { EventBatchHandler } from './consuming/event-batch-handler.decorator.js';
export { EventBatch, type BatchDecision } from './consuming/batch/event-batch.js';
export { BatchItem } from './consuming/batch/batch-item.js';
export { EventContext } from './consuming/event-context.js';
export { ConsumedEvent, type CausedPublishOptions } from './consuming/consumed-event.js';
export { EventOutcome } from './consuming/event-outcome.js';
export type {
  BatchOptions,
  EventBatchHandlerOptions,
  EventHandlerOptions,
  EventHandlerOverrides,
  HandlerIdempotencyOptions,
  IdempotencyScope,
  Ordering,
} from './consuming/handler-options.js';
export type { AdaptiveOptions } from './consuming/adaptive-limit.js';
export type { RateOptions } from './consuming/rate-limit.js';
export type { OutageOptions } from './failure/outage-breaker.js';
export type {
  ErrorClass,
  ErrorSchedule,
  FailedDelivery,
  FailureClass,
  InvocationFault,
  RetryOptions,
  RetrySchedule,
  RetryTopicOptions,
} from './failure/retry-policy.js';
export type { DirectRecord } from './consuming/direct/direct-record.js';
export type {
  DirectHandlerReply,
  DirectOutcome,
  DirectReceipt,
} from './consuming/direct/direct-reply.js';
export type {
  DirectLimits,
  DirectReceiver,
  DirectTarget,
  DirectTransport,
} from './consuming/direct/direct-transport.js';
export type { CrashLoopOptions } from './failure/crash-loop.js';
export type { DeadLetterReason } from './failure/dead-letter-reason.js';

// `@EventPattern` controllers.
export { KafkaEventsServer } from './nest-transport/kafka-events-server.js';
export { KafkaEventsContext } from './nest-transport/kafka-events-context.js';
export { IdempotencyInterceptor } from './nest-transport/idempotency.interceptor.js';
export { RetryDeadLetterFilter } from './nest-transport/retry-dead-letter.filter.js';

// Idempotency.
export type {
  ClaimAnswer,
  ClaimRequest,
  CompletedState,
  Completion,
  IdempotencyStore,
  Refresh,
  Release,
  Renewal,
  Start,
  Suspicion,
} from './idempotency/idempotency-store.js';
export { MemoryIdempotencyStore } from './idempotency/memory-idempotency-store.js';
export type { MemoryIdempotencyStoreOptions } from './idempotency/memory-idempotency-store.js';

// Both ways.
export { HybridRouter, type ViewReadOptions } from './hybrid/hybrid-router.js';
export { asyncFirst, cqrs, fromView, syncFirst } from './hybrid/hybrid-operation.js';
export type {
  AsyncFirst,
  AsyncFirstOptions,
  DirectOptions,
  HybridOrder,
  Otherwise,
  SyncFirst,
  ViewRead,
} from './hybrid/hybrid-operation.js';
export type {
  AsyncFirstResult,
  SyncFirstResult,
  ViewReadResult,
  WithPath,
} from './hybrid/hybrid-result.js';

// Asking other services.
export { SyncFallbackClient, SyncServiceClient } from './fallback/sync-fallback-client.js';
export { defineSyncService, syncService } from './fallback/sync-service.js';
export type {
  SyncMethod,
  SyncMethodOptions,
  SyncRegistration,
  SyncReply,
  SyncRequest,
  SyncRetryOptions,
  SyncService,
  SyncServiceOptions,
} from './fallback/sync-service.js';
export type { BreakerOptions } from './fallback/circuit-breaker.js';
export type { BulkheadOptions } from './fallback/bulkhead.js';
export type { CausingEvent, SyncCallOptions } from './fallback/call-options.js';
export { acceptAs, cachedReply, defaultReply, readFrom } from './fallback/fallback.js';
export type {
  CacheFallback,
  DefaultFallback,
  EventFallback,
  Fallback,
  FallbackContext,
  LookUp,
  ReadFallback,
  ReadValue,
} from './fallback/fallback.js';
export type { AcceptedEvent } from './fallback/accept-command.js';
export type {
  AcceptedCommand,
  DefaultReply,
  KeptReply,
  ServiceReply,
  SyncResult,
} from './fallback/sync-result.js';
export type { SyncAttempt, SyncMetadata, SyncTransport } from './fallback/sync-transport.js';
// Views.
export { MaterialisedViews } from './views/materialised-views.js';
export type {
  ListOptions,
  MaterialisedView,
  ViewRow,
  ViewStaleness,
  ViewTarget,
  WaitForOptions,
} from './views/materialised-view.js';
export {
  defineView,
  projects,
  type ProjectedEvent,
  type Projection,
  type Projects,
  type ViewDefinition,
  type ViewOptions,
} from './views/view-definition.js';
export { MemoryViewStore, type MemoryViewStoreOptions } from './views/memory-view-store.js';
export type { ViewsOptions } from './views/views-options.js';
export type {
  ChangeAnswer,
  ChangePlace,
  Generation,
  KeptRow,
  KeyedRow,
  RowQuery,
  RowValue,
  StoredRow,
  ViewChange,
  ViewPosition,
  ViewRef,
  ViewStore,
  ViewWork,
} from './views/view-store.js';

// Systems that know no events.
export { httpJson } from './legacy/http-transport.js';
export type { HttpMethod, HttpOptions, HttpVerb } from './legacy/http-options.js';
export { LegacyFeeds } from './legacy/legacy-feeds.js';
export { legacyFeed } from './legacy/legacy-feed.js';
export type { FeedContext, FeedPage, LegacyFeed } from './legacy/legacy-feed.js';
export { MemoryCursorStore, type CursorStore } from './legacy/cursor-store.js';
export { legacyCall, type LegacyCall } from './legacy/legacy-call.js';

// Watching.
export { ConsumerControl, type HeldTarget, type KeyTarget } from './consuming/consumer-control.js';
export { PartitionScaler, type AdviceOptions } from './scaling/partition-scaler.js';
export type { Bottleneck, PartitionAdvice } from './scaling/partition-advice.js';
export type { PartitionEffect } from './scaling/partition-effect.js';
export { KafkaEventsHealth, type WhenReadyOptions } from './observability/health.js';
export type {
  GroupHealth,
  HeldKeyHealth,
  HandlerHealth,
  HealthReport,
  OutageHealth,
  OutboxHealth,
  PausedHealth,
  UnavailableTopic,
  PartitionHealth,
  ViewHealth,
  PublisherHealth,
  StalledPartition,
  FeedHealth,
  SyncServiceHealth,
} from './observability/health-report.js';
export type { StallReason } from './observability/stall-reason.js';
export type { SignalCounts } from './observability/signal-hub.js';
export type {
  ConsumerTarget,
  HandlerRef,
  KafkaEventsObserver,
  RecordRef,
  SignalName,
  Signals,
  SyncCallFigures,
  ViewSignal,
} from './observability/observer.js';

// Another Kafka client: see `KafkaEventsOptions.driver`.
export type {
  AdminDriver,
  CommitItem,
  ConsumerConfig,
  ConsumerDriver,
  ConsumerHooks,
  ConsumerState,
  GroupLag,
  KafkaDriver,
  OwnedTopicPartition,
  PartitionOffsets,
  ProducerDriver,
  RecordPosition,
  TopicDescription,
  TopicLag,
  TopicSpec,
} from './kafka/driver.js';
export type {
  InRecord,
  OutRecord,
  RecordBatch,
  TopicPartition,
  WireHeaders,
} from './kafka/records.js';

export {
  AutoCommitError,
  BatchDecisionError,
  ClaimLostError,
  DirectDeliveryError,
  BreakerOpenError,
  BulkheadFullError,
  DeadlinePassedError,
  DriverError,
  EventTooLargeError,
  HandlerTimeoutError,
  InvalidDefinitionError,
  InvalidEventError,
  InvalidHandlerError,
  InvalidOptionsError,
  InvalidPayloadError,
  InvalidTargetError,
  KafkaEventsError,
  MessageTooLargeError,
  MissingPeerError,
  MissingTablesError,
  MissingTopicsError,
  NoClaimError,
  NoOutboxError,
  NonRetryableEventError,
  NotHereError,
  NotReadyError,
  PublishAllError,
  PublishBufferFullError,
  PublishDeadlineError,
  PublishError,
  PublisherClosedError,
  PublishRejectedError,
  RedeliveryError,
  RetryLaterError,
  RolledBackError,
  ShutdownError,
  StoreUnavailableError,
  SyncCallError,
  UndecodableRecordError,
  UnknownTopicError,
  UnknownViewError,
  UnroutableRecordError,
  ViewBehindError,
  ViewFullError,
  ViewNotReadyError,
} from './kafka-events.errors.js';
export type {
  ClaimLoss,
  DirectDeliveryReason,
  DriverErrorKind,
  KafkaEventsErrorCode,
  KafkaEventsErrorOptions,
  OptionProblem,
  PayloadIssue,
  PublishAllFailure,
  PublishFailure,
  SyncCallErrorOptions,
  SyncCallRef,
  SyncFailureOrigin,
  SyncStatus,
} from './kafka-events.errors.js';
