export { KafkaEventsModule } from './kafka-events.module.js';
export type {
  KafkaEventsModuleAsyncOptions,
  KafkaEventsModuleOptions,
  KafkaEventsOptionsFactory,
} from './kafka-events.module.js';
export type {
  ConsumerOptions,
  DeadLetterOptions,
  GroupOverrides,
  IdempotencyOptions,
  KafkaEventsOptions,
  ProducerOptions,
} from './kafka-events.options.js';
export type { ConnectionSettings, SaslOptions } from './kafka/connection.js';

// What an event is.
export { DomainEvent } from './contracts/domain-event.decorator.js';
export { defineEvent } from './contracts/define-event.js';
export type {
  DefinedEvent,
  EventClass,
  EventPayload,
  EventSource,
  PublishPayload,
} from './contracts/event-source.js';
export type { StandardSchema } from './contracts/standard-schema.js';
export { deterministicEventId } from './contracts/deterministic-id.js';
export { DEAD_LETTER_HEADERS, HEADERS } from './contracts/event-headers.js';

// Publishing.
export { EventPublisher } from './publishing/event-publisher.js';
export { event } from './publishing/publish-options.js';
export type {
  OutgoingEvent,
  PublishOptions,
  PublishReceipt,
} from './publishing/publish-options.js';

// Handling.
export { EventHandler } from './consuming/event-handler.decorator.js';
export { EventContext } from './consuming/event-context.js';
export type { CausedPublishOptions } from './consuming/event-context.js';
export { EventOutcome } from './consuming/event-outcome.js';
export type {
  EventHandlerOptions,
  EventHandlerOverrides,
  HandlerIdempotencyOptions,
  IdempotencyScope,
  Ordering,
} from './consuming/handler-options.js';
export type { RetryOptions } from './failure/retry-policy.js';
export type { DeadLetterReason } from './failure/dead-letter-reason.js';

// Idempotency.
export type {
  ClaimAnswer,
  ClaimRequest,
  CompletedState,
  Completion,
  IdempotencyStore,
  Release,
  Renewal,
} from './idempotency/idempotency-store.js';
export { MemoryIdempotencyStore } from './idempotency/memory-idempotency-store.js';
export type { MemoryIdempotencyStoreOptions } from './idempotency/memory-idempotency-store.js';

// Watching.
export { KafkaEventsHealth } from './observability/health.js';
export type {
  GroupHealth,
  HealthReport,
  PartitionHealth,
  PublisherHealth,
  StalledPartition,
} from './observability/health.js';
export type {
  HandlerRef,
  KafkaEventsObserver,
  RecordRef,
  SignalName,
  Signals,
} from './observability/observer.js';

// Another Kafka client: see `KafkaEventsOptions.driver`.
export type {
  AdminDriver,
  CommitItem,
  ConsumerConfig,
  ConsumerDriver,
  ConsumerHooks,
  ConsumerState,
  KafkaDriver,
  OwnedTopicPartition,
  ProducerDriver,
  RecordPosition,
  TopicDescription,
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
  DriverError,
  EventTooLargeError,
  HandlerTimeoutError,
  InvalidDefinitionError,
  InvalidEventError,
  InvalidHandlerError,
  InvalidOptionsError,
  InvalidPayloadError,
  KafkaEventsError,
  MissingPeerError,
  MissingTopicsError,
  NonRetryableEventError,
  PublishAllError,
  PublishBufferFullError,
  PublishDeadlineError,
  PublishError,
  PublisherClosedError,
  PublishRejectedError,
  RetryLaterError,
  ShutdownError,
  StoreUnavailableError,
  UndecodableRecordError,
  UnknownTopicError,
  UnroutableRecordError,
} from './kafka-events.errors.js';
export type {
  DriverErrorKind,
  KafkaEventsErrorCode,
  OptionProblem,
  PayloadIssue,
  PublishAllFailure,
  PublishFailure,
} from './kafka-events.errors.js';
