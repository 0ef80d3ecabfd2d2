export type { ConformanceCase } from './conformance-case.js';
export {
  cursorStoreConformance,
  type CursorStoreConformanceOptions,
} from './cursor-store-conformance.js';
export {
  idempotencyStoreConformance,
  type IdempotencyStoreConformanceOptions,
  type IdempotencyStoreOnTrial,
} from './idempotency-store-conformance.js';
export {
  viewStoreConformance,
  type ViewStoreConformanceOptions,
  type ViewStoreOnTrial,
} from './view-store-conformance.js';
export { EmbeddedKafka } from './embedded-kafka/embedded-kafka.js';
export type {
  EmbeddedKafkaOptions,
  EmbeddedListener,
  EmbeddedTopic,
} from './embedded-kafka/embedded-kafka-options.js';
export type { FaultControl, Verdict } from './embedded-kafka/faults/fault-control.js';
export type { Fault, FaultHandler, FaultOptions } from './embedded-kafka/faults/faults.js';
export type {
  PartitionFaultOptions,
  TopicPartition,
} from './embedded-kafka/faults/partition-faults.js';
export type {
  RequestName,
  RequestOf,
  ResponseOf,
} from './embedded-kafka/requests/request-table.js';
export type { SaslMechanism } from './embedded-kafka/sasl/sasl-settings.js';
export type { LoggedRequest, LoggedRequestOf } from './embedded-kafka/server/request-log.js';
export type {
  DescribedMember,
  GroupDescription,
  GroupState,
} from './embedded-kafka/state/consumer-group.js';
export type { CommittedOffset } from './embedded-kafka/state/group-offsets.js';
export type { KafkaErrorName } from './embedded-kafka/wire/kafka-error.js';
export { ManualClock } from './manual-clock.js';

// Tests of applications.
export { KafkaEventsTestingModule } from './kafka-events-testing.module.js';
export type { KafkaEventsTestingOptions } from './kafka-events-testing.module.js';
export { TestKafka, type TestKafkaOptions } from './test-kafka.js';
export { EventSpy } from './event-spy.js';
export type {
  DeadLetteredEvent,
  DuplicateEvent,
  EventMatch,
  EventSpyOptions,
  HandledEvent,
  PublishedEvent,
} from './event-spy.js';
export type { SpiedEvent } from './spied-event.js';
export { EventSpyTimeoutError } from './event-spy-timeout.error.js';

// Unit tests, without any broker.
export { FakeEventPublisher, type FakePublishedEvent } from './fake-event-publisher.js';
export { createEventBatch, type EventBatchOptions } from './create-event-batch.js';
export { createEventContext } from './create-event-context.js';
export type { EventContextOptions } from './event-delivery-of.js';
