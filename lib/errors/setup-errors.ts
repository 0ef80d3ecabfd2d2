import { KafkaEventsError, type KafkaEventsErrorOptions } from './kafka-events-error.js';

/** One thing wrong with the module's options. */
export interface OptionProblem {
  /** Path of the option, for example `consumer.sessionTimeoutMs`. */
  readonly option: string;
  /** What is wrong and what is allowed. Never holds a secret. */
  readonly problem: string;
}

/** Thrown at boot when options are missing or wrong; lists every problem at once. */
export class InvalidOptionsError extends KafkaEventsError {
  constructor(readonly problems: readonly OptionProblem[]) {
    super(
      'INVALID_OPTIONS',
      `KafkaEventsModule cannot start, ${String(problems.length)} problem(s) in its options:\n` +
        problems.map(({ option, problem }) => `  - ${option}: ${problem}`).join('\n'),
    );
  }
}

/** Thrown when an event or a view is declared in a way that cannot work. */
export class InvalidDefinitionError extends KafkaEventsError {
  constructor(message: string, options?: KafkaEventsErrorOptions) {
    super('INVALID_DEFINITION', message, options);
  }
}

/** Thrown at boot when a handler cannot be run as declared; lists every problem at once. */
export class InvalidHandlerError extends KafkaEventsError {
  constructor(readonly problems: readonly string[]) {
    super(
      'INVALID_HANDLER',
      `KafkaEventsModule cannot start, ${String(problems.length)} problem(s) with its handlers:\n` +
        problems.map((problem) => `  - ${problem}`).join('\n'),
    );
  }
}

/** Thrown when an optional package is needed but not installed. */
export class MissingPeerError extends KafkaEventsError {
  constructor(
    readonly packageName: string,
    neededFor: string,
    cause: unknown,
  ) {
    super(
      'MISSING_PEER',
      `${neededFor} needs the package "${packageName}", which is not installed: npm install ${packageName}`,
      { cause },
    );
  }
}

/** Thrown at boot when topics that handlers or dead letters need do not exist or hold too little. */
export class MissingTopicsError extends KafkaEventsError {
  constructor(
    readonly topics: readonly string[],
    message: string,
  ) {
    super('MISSING_TOPICS', message);
  }
}

/** Thrown by `KafkaEventsHealth.whenReady`: the process does not take part yet. */
export class NotReadyError extends KafkaEventsError {
  /** @param missing what it lacks, in sentences, as `problems` of the health report has them. */
  constructor(
    readonly missing: readonly string[],
    waitedMs: number,
  ) {
    super(
      'NOT_READY',
      `not ready after ${String(waitedMs)} ms:\n${missing.map((each) => `  - ${each}`).join('\n')}`,
      { retryable: true },
    );
  }
}

/** Thrown by `EventOutbox` where the module has no outbox. */
export class NoOutboxError extends KafkaEventsError {
  constructor() {
    super(
      'NO_OUTBOX',
      'KafkaEventsModule has no outbox: give it one, for example outbox: { store: new PostgresOutbox({ pool }) }',
    );
  }
}

/** Thrown by `ConsumerControl` and `SyncFallbackClient` for what does not exist in this process, or cannot be so. */
export class InvalidTargetError extends KafkaEventsError {
  constructor(message: string) {
    super('INVALID_TARGET', message);
  }
}

/** Thrown by what Nest's own Kafka transport has and this one has not; the message says what to use. */
export class NotHereError extends KafkaEventsError {
  constructor(message: string) {
    super('NOT_HERE', message);
  }
}

/** Thrown at the first record of a `ServerKafka` whose offsets are committed behind our back. */
export class AutoCommitError extends KafkaEventsError {
  constructor(message: string) {
    super('AUTO_COMMIT', message);
  }
}
