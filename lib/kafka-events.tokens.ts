/** The module's `KafkaEventsSettings`. */
export const KAFKA_EVENTS_SETTINGS = Symbol('nestjs-kafka-events:settings');

/** The application's `ConsumerRuntime`. */
export const CONSUMER_RUNTIME = Symbol('nestjs-kafka-events:consumer-runtime');

/** The application's `OutboxRelay`; null where it has no outbox. */
export const OUTBOX_RELAY = Symbol('nestjs-kafka-events:outbox-relay');

/** Optional: an `OptionsOverride`. Only the testing module provides one, to all modules. */
export const KAFKA_EVENTS_OPTIONS_OVERRIDE = Symbol('nestjs-kafka-events:options-override');
