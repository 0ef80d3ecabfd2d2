/** Every error this package throws carries one of these, so that callers can branch on it. */
export type KafkaEventsErrorCode =
  | 'INVALID_OPTIONS'
  | 'INVALID_DEFINITION'
  | 'INVALID_HANDLER'
  | 'MISSING_PEER'
  | 'MISSING_TOPICS'
  | 'UNDECODABLE'
  | 'UNROUTABLE'
  | 'INVALID_EVENT'
  | 'EVENT_TOO_LARGE'
  | 'UNKNOWN_TOPIC'
  | 'PUBLISHER_CLOSED'
  | 'PUBLISH_DEADLINE'
  | 'PUBLISH_BUFFER_FULL'
  | 'PUBLISH_REJECTED'
  | 'PUBLISH_ALL_FAILED'
  | 'NON_RETRYABLE'
  | 'RETRY_LATER'
  | 'HANDLER_TIMEOUT'
  | 'CRASH_LOOP'
  | 'STORE_UNAVAILABLE'
  | 'MISSING_TABLES'
  | 'CLAIM_LOST'
  | 'NO_CLAIM'
  | 'ROLLED_BACK'
  | 'NO_OUTBOX'
  | 'SHUTDOWN'
  | 'NOT_HERE'
  | 'AUTO_COMMIT'
  | 'INVALID_TARGET'
  | 'REDELIVERY'
  | 'BATCH_DECISION'
  | 'DIRECT_DELIVERY'
  | 'DRIVER'
  | 'SYNC_CALL'
  | 'BREAKER_OPEN'
  | 'BULKHEAD_FULL'
  | 'DEADLINE_PASSED'
  | 'MESSAGE_TOO_LARGE'
  | 'UNKNOWN_VIEW'
  | 'VIEW_NOT_READY'
  | 'VIEW_BEHIND'
  | 'VIEW_FULL';

export interface KafkaEventsErrorOptions {
  readonly cause?: unknown;
  /** True when the same call may succeed later without any change. Default false. */
  readonly retryable?: boolean;
}

/** The base of every error of this package. */
export class KafkaEventsError extends Error {
  readonly code: KafkaEventsErrorCode;
  readonly retryable: boolean;

  constructor(code: KafkaEventsErrorCode, message: string, options: KafkaEventsErrorOptions = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined);
    this.name = new.target.name;
    this.code = code;
    this.retryable = options.retryable ?? false;
  }
}

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

/** Thrown while reading a record whose bytes are not what its headers promise. */
export class UndecodableRecordError extends KafkaEventsError {
  constructor(message: string, options?: KafkaEventsErrorOptions) {
    super('UNDECODABLE', message, options);
  }
}

/** What the dead letter of a record that reaches no handler says: why nobody could be chosen. */
export class UnroutableRecordError extends KafkaEventsError {
  constructor(message: string) {
    super('UNROUTABLE', message);
  }
}

/** One thing wrong with a payload: where, and what. Holds no payload values. */
export interface PayloadIssue {
  /** Path inside the payload, for example `lines.0.sku`; empty for the payload itself. */
  readonly path: string;
  readonly message: string;
}

/** What every publishing failure knows, so that the caller's retry can reuse the event id. */
export interface PublishFailure {
  readonly eventId: string;
  readonly eventType: string;
  readonly topic: string;
}

/** Proof that the broker has an event. */
export interface PublishReceipt {
  readonly eventId: string;
  readonly eventType: string;
  readonly topic: string;
  readonly partition: number;
  /** Null when the broker recognised a retry of its own and did not repeat the offset. */
  readonly offset: string | null;
}

/**
 * Thrown where a payload breaks its event's contract, gives no usable key or cannot be encoded.
 * `publish` wraps it in {@link InvalidEventError}; a consumed record is dead-lettered for it.
 */
export class InvalidPayloadError extends KafkaEventsError {
  constructor(
    readonly issues: readonly PayloadIssue[],
    options?: KafkaEventsErrorOptions,
  ) {
    super('INVALID_EVENT', `the payload is invalid: ${describeIssues(issues)}`, options);
  }
}

/** The base of everything `publish` rejects with. */
export class PublishError extends KafkaEventsError implements PublishFailure {
  readonly eventId: string;
  readonly eventType: string;
  readonly topic: string;

  constructor(
    code: KafkaEventsErrorCode,
    failure: PublishFailure,
    message: string,
    options?: KafkaEventsErrorOptions,
  ) {
    super(
      code,
      `${failure.eventType} (event id ${failure.eventId}) was not published to "${failure.topic}": ${message}`,
      options,
    );
    this.eventId = failure.eventId;
    this.eventType = failure.eventType;
    this.topic = failure.topic;
  }
}

/** Thrown when a payload or its publish options do not satisfy the event's contract; nothing was sent. */
export class InvalidEventError extends PublishError {
  constructor(
    failure: PublishFailure,
    readonly issues: readonly PayloadIssue[],
    cause?: unknown,
  ) {
    super('INVALID_EVENT', failure, `it is invalid: ${describeIssues(issues)}`, { cause });
  }
}

/** Thrown when key, value and headers together exceed `producer.maxRecordBytes`, or the broker says so. */
export class EventTooLargeError extends PublishError {
  constructor(failure: PublishFailure, message: string, cause?: unknown) {
    super('EVENT_TOO_LARGE', failure, message, { cause });
  }
}

/** Thrown when the event's topic does not exist on the broker. */
export class UnknownTopicError extends PublishError {
  constructor(failure: PublishFailure, cause?: unknown) {
    super(
      'UNKNOWN_TOPIC',
      failure,
      'the topic does not exist; create it, or set topics: "create" on the module',
      { cause },
    );
  }
}

/** Thrown when the publisher is not open: shut down, or never connected (`connect: false`). */
export class PublisherClosedError extends PublishError {
  constructor(
    failure: PublishFailure,
    message = 'the publisher is closed: the application is shutting down',
    cause?: unknown,
  ) {
    super('PUBLISHER_CLOSED', failure, message, { cause });
  }
}

/** Thrown when the broker did not acknowledge before the deadline; the event may still have arrived. */
export class PublishDeadlineError extends PublishError {
  constructor(failure: PublishFailure, deadlineMs: number, cause?: unknown) {
    super(
      'PUBLISH_DEADLINE',
      failure,
      `no acknowledgement within ${String(deadlineMs)} ms. It may have arrived: retry with the same event id`,
      { cause, retryable: true },
    );
  }
}

/** Thrown when the publish buffer is full and `producer.onBufferFull` is `'fail'`. */
export class PublishBufferFullError extends PublishError {
  constructor(failure: PublishFailure, message: string) {
    super('PUBLISH_BUFFER_FULL', failure, message, { retryable: true });
  }
}

/** Thrown when the broker refused the record in a way that a retry does not mend. */
export class PublishRejectedError extends PublishError {
  constructor(failure: PublishFailure, message: string, cause?: unknown) {
    super('PUBLISH_REJECTED', failure, message, { cause });
  }
}

/** One event that `publishAll` did not get acknowledged: its place in the call, and why. */
export interface PublishAllFailure {
  readonly index: number;
  /** A `PublishError` with the event's id, or an InvalidDefinitionError: `source` is not an event. */
  readonly error: Error;
}

/** Thrown by `publishAll` when not every event was acknowledged; `receipts` are those that were. */
export class PublishAllError extends KafkaEventsError {
  /**
   * @param receipts in the order of the call.
   * @param failures in the order of the call, one for each event without a receipt; or, when
   * nothing was sent, one for each event that kept the others from being sent.
   */
  constructor(
    message: string,
    readonly receipts: readonly PublishReceipt[],
    readonly failures: readonly PublishAllFailure[],
  ) {
    super('PUBLISH_ALL_FAILED', `${message}:\n${describeFailures(failures)}`, {
      cause: failures[0]?.error,
      retryable: failures.every(({ error }) => isRetryable(error)),
    });
  }
}

/** Throw it from a handler to dead-letter the record at once. */
export class NonRetryableEventError extends KafkaEventsError {
  constructor(message: string, options?: { readonly cause?: unknown }) {
    super('NON_RETRYABLE', message, options);
  }
}

/**
 * Throw it from a handler to have the record retried after this delay; attempts count. At most 30 s in
 * the lane, which waits; a longer delay needs a retry topic (`retryTopic` of the handler), a day at most.
 */
export class RetryLaterError extends KafkaEventsError {
  /** @param delayMs milliseconds until the next attempt. */
  constructor(
    readonly delayMs: number,
    message = `retry in ${String(delayMs)} ms`,
    options?: { readonly cause?: unknown },
  ) {
    super('RETRY_LATER', message, { ...options, retryable: true });
  }
}

/** What `EventContext.deadLetter` throws: the engine dead-letters the record when it sees it. */
export class DeadLetterRequestedError extends KafkaEventsError {
  constructor(reason: string) {
    super('NON_RETRYABLE', reason);
  }
}

/** What a handler's attempt fails with when it outlives its `timeoutMs`. */
export class HandlerTimeoutError extends KafkaEventsError {
  constructor(handlerId: string, timeoutMs: number) {
    super('HANDLER_TIMEOUT', `${handlerId} did not finish within ${String(timeoutMs)} ms`, {
      retryable: true,
    });
  }
}

/** Why a record is dead-lettered whose process died whenever it ran. */
export class CrashLoopError extends KafkaEventsError {
  /**
   * @param crashes runs that had started when their process died, or was cut off for longer than its lease.
   * @param crashesAlone of those, the runs that had their process for themselves.
   */
  constructor(
    handlerId: string,
    readonly crashes: number,
    readonly crashesAlone: number,
  ) {
    super(
      'CRASH_LOOP',
      `the process died ${String(crashes)} times while ${handlerId} was at work on this record, ` +
        `${String(crashesAlone)} times while nothing else ran: it was not run again. Mend what kills the ` +
        'process, then publish the event again under a new id',
    );
  }
}

/** The reason of a handler's signal when the process stops before the handler has come back. */
export class ShutdownError extends KafkaEventsError {
  constructor() {
    super('SHUTDOWN', 'the application is shutting down: the record will be delivered again', {
      retryable: true,
    });
  }
}

/** Thrown by stores that cannot be reached, of idempotency or of views; always retryable. */
export class StoreUnavailableError extends KafkaEventsError {
  constructor(message: string, options: { readonly cause?: unknown } = {}) {
    super('STORE_UNAVAILABLE', message, { ...options, retryable: true });
  }
}

/** Thrown at boot, or by the first call, where tables that a store needs are missing or too old. */
export class MissingTablesError extends KafkaEventsError {
  /** @param store which store needs them, for example `outbox`. */
  constructor(
    readonly store: string,
    problem: string,
    options: { readonly cause?: unknown } = {},
  ) {
    super(
      'MISSING_TABLES',
      `tables of "${store}" are missing: ${problem}. Call createTables() of the store before the ` +
        'application starts, or run the SQL that its `sql` gives in a migration of your own',
      options,
    );
  }
}

/** How a claim is lost: its event is done, somebody else has claimed it, or nobody has it any more. */
export type ClaimLoss = 'done' | 'taken' | 'given back';

/**
 * Thrown where a handler's transaction was to complete a claim that is not the handler's any more. The
 * transaction has failed: roll it back, and let the engine find out what became of the event.
 */
export class ClaimLostError extends KafkaEventsError {
  constructor(
    readonly loss: ClaimLoss,
    handlerId: string,
    eventIds: readonly string[],
    options: { readonly cause?: unknown } = {},
  ) {
    super(
      'CLAIM_LOST',
      `${handlerId} lost its claim of ${describeIds(eventIds)}, which is ${loss}: its transaction must not ` +
        'take effect and is rolled back; let the error through, the event is looked at again',
      { ...options, retryable: true },
    );
  }
}

/**
 * Thrown where a handler's transaction was to complete a claim, and the event has none in that store.
 * Retryable, so that events wait until that is mended, and are not dead-lettered for it.
 */
export class NoClaimError extends KafkaEventsError {
  constructor(handlerId: string, problem: string) {
    super('NO_CLAIM', `${handlerId} has no claim to complete: ${problem}`, { retryable: true });
  }
}

/** Thrown where a transaction that was to be committed had failed, and what failed it was not let through. */
export class RolledBackError extends KafkaEventsError {
  constructor() {
    super(
      'ROLLED_BACK',
      'the transaction was rolled back at its commit: a statement in it had failed, and its error was ' +
        'caught inside; let errors of statements through',
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

/** Thrown by what Nest's own Kafka transport has and this one has not; the message says what to use. */
export class NotHereError extends KafkaEventsError {
  constructor(message: string) {
    super('NOT_HERE', message);
  }
}

/** Thrown by `ConsumerControl` and `SyncFallbackClient` for what does not exist in this process, or cannot be so. */
export class InvalidTargetError extends KafkaEventsError {
  constructor(message: string) {
    super('INVALID_TARGET', message);
  }
}

/** Thrown by `EventBatch` for a record it has not got, and for what is decided after its handler has ended. */
export class BatchDecisionError extends KafkaEventsError {
  constructor(message: string) {
    super('BATCH_DECISION', message);
  }
}

/** Thrown at the first record of a `ServerKafka` whose offsets are committed behind our back. */
export class AutoCommitError extends KafkaEventsError {
  constructor(message: string) {
    super('AUTO_COMMIT', message);
  }
}

/** Thrown to have Kafka deliver a record again; the `cause` is why it was not handled. */
export class RedeliveryError extends KafkaEventsError {
  constructor(message: string, options: { readonly cause?: unknown } = {}) {
    super('REDELIVERY', message, { ...options, retryable: true });
  }
}

/** Why an event that was delivered directly is not done. */
export type DirectDeliveryReason =
  /** The other side does not know who calls, or refuses them. */
  | 'unauthenticated'
  | 'denied'
  /** Nobody there consumes the topic, or it is one that the group keeps to itself. */
  | 'topic-not-consumed'
  | 'topic-private'
  /** Nobody there takes the event's type and version, or none of those who do has opted in. */
  | 'event-unknown'
  | 'event-not-accepted'
  /** Its copy from Kafka could not be told from it. */
  | 'event-id-missing'
  | 'malformed'
  | 'too-large'
  /** The event is at fault, as its handler sees it. */
  | 'rejected'
  /** These may pass: try again, or leave it to the copy from Kafka. */
  | 'failed'
  | 'in-progress'
  | 'held'
  | 'store-away'
  | 'late'
  | 'busy'
  | 'not-ready'
  | 'unreachable';

const PASSING: readonly DirectDeliveryReason[] = [
  'failed',
  'in-progress',
  'held',
  'store-away',
  'late',
  'busy',
  'not-ready',
  'unreachable',
];

/**
 * Thrown where a direct delivery did not end with every handler that opted in being done. Nothing is
 * dead-lettered for it, and no attempt counted: the copy from Kafka comes.
 */
export class DirectDeliveryError extends KafkaEventsError {
  constructor(
    readonly reason: DirectDeliveryReason,
    message: string,
    options: { readonly cause?: unknown } = {},
  ) {
    super('DIRECT_DELIVERY', message, { ...options, retryable: PASSING.includes(reason) });
  }
}

/** Thrown by `MaterialisedViews.of` for a view that is not among the module's. */
export class UnknownViewError extends KafkaEventsError {
  constructor(message: string) {
    super('UNKNOWN_VIEW', message);
  }
}

/** Thrown by a view that has not been built yet; `KafkaEventsHealth` tells how far it is. */
export class ViewNotReadyError extends KafkaEventsError {
  constructor(
    readonly view: string,
    why: string,
  ) {
    super('VIEW_NOT_READY', `the view "${view}" cannot be read yet: ${why}`, { retryable: true });
  }
}

/** Thrown by `waitFor` when the view does not come so far in time; the event is not lost for it. */
export class ViewBehindError extends KafkaEventsError {
  /** @param recordsBehind records between where the view is and where it was waited for; null when unknown. */
  constructor(
    readonly view: string,
    readonly recordsBehind: number | null,
    timeoutMs: number,
  ) {
    const how = recordsBehind === null ? 'an unknown number of' : String(recordsBehind);
    super(
      'VIEW_BEHIND',
      `the view "${view}" was still ${how} record(s) behind after ${String(timeoutMs)} ms; ` +
        'read it as it is, or wait for it again',
      { retryable: true },
    );
  }
}

/** Why a view in memory changes no more: it has as many rows as it may. */
export class ViewFullError extends KafkaEventsError {
  constructor(
    readonly view: string,
    maxRows: number,
  ) {
    super(
      'VIEW_FULL',
      `the view "${view}" has ${String(maxRows)} rows, as many as it may, and changes no more; raise maxRows of ` +
        'its MemoryViewStore, or keep it in Postgres',
    );
  }
}

/** What went wrong in a Kafka client, in the terms the engine decides by. */
export type DriverErrorKind =
  'retryable' | 'fatal' | 'fenced' | 'auth' | 'too-large' | 'unknown-topic' | 'closed';

/** What Kafka drivers throw: the client's own error is the `cause`. Never holds a secret. */
export class DriverError extends KafkaEventsError {
  constructor(
    readonly kind: DriverErrorKind,
    message: string,
    options: { readonly cause?: unknown } = {},
  ) {
    super('DRIVER', message, { ...options, retryable: kind === 'retryable' || kind === 'fenced' });
  }
}

/** How a call of another service can fail: the names of gRPC's status codes, in their order from 1. */
export type SyncStatus =
  | 'CANCELLED'
  | 'UNKNOWN'
  | 'INVALID_ARGUMENT'
  | 'DEADLINE_EXCEEDED'
  | 'NOT_FOUND'
  | 'ALREADY_EXISTS'
  | 'PERMISSION_DENIED'
  | 'RESOURCE_EXHAUSTED'
  | 'FAILED_PRECONDITION'
  | 'ABORTED'
  | 'OUT_OF_RANGE'
  | 'UNIMPLEMENTED'
  | 'INTERNAL'
  | 'UNAVAILABLE'
  | 'DATA_LOSS'
  | 'UNAUTHENTICATED';

/** @internal All of them, by their numbers, from 1. */
export const SYNC_STATUSES: readonly SyncStatus[] = [
  'CANCELLED',
  'UNKNOWN',
  'INVALID_ARGUMENT',
  'DEADLINE_EXCEEDED',
  'NOT_FOUND',
  'ALREADY_EXISTS',
  'PERMISSION_DENIED',
  'RESOURCE_EXHAUSTED',
  'FAILED_PRECONDITION',
  'ABORTED',
  'OUT_OF_RANGE',
  'UNIMPLEMENTED',
  'INTERNAL',
  'UNAVAILABLE',
  'DATA_LOSS',
  'UNAUTHENTICATED',
];

/** The method of another service that a call is of. */
export interface SyncCallRef {
  readonly service: string;
  readonly method: string;
}

/**
 * Who made a call fail: the `service`, by its answer or by giving none; the `guard` in front of it, which
 * held the call back; or the `caller`, whose request, deadline or patience was not enough.
 */
export type SyncFailureOrigin = 'service' | 'guard' | 'caller';

export interface SyncCallErrorOptions {
  readonly origin?: SyncFailureOrigin;
  readonly cause?: unknown;
  readonly code?: KafkaEventsErrorCode;
}

const WORTH_REPEATING: ReadonlySet<SyncStatus> = new Set<SyncStatus>([
  ...(['UNAVAILABLE', 'DEADLINE_EXCEEDED', 'RESOURCE_EXHAUSTED'] as const),
  ...(['ABORTED', 'INTERNAL', 'UNKNOWN'] as const),
]);

/** Thrown by `SyncFallbackClient` where a call failed and no fallback had an answer. */
export class SyncCallError extends KafkaEventsError implements SyncCallRef {
  readonly service: string;
  readonly method: string;
  /** Default `'service'`. */
  readonly origin: SyncFailureOrigin;
  /**
   * Milliseconds until the service is tried again, 0 while that is under way; null while its breaker is closed.
   * Said by the guard, which knows it only once the call has failed.
   */
  retryInMs: number | null = null;

  /** @param message what happened; without values of the request. */
  constructor(
    call: SyncCallRef,
    readonly status: SyncStatus,
    message: string,
    options: SyncCallErrorOptions = {},
  ) {
    const { origin = 'service', code = 'SYNC_CALL', ...rest } = options;
    const retryable = origin !== 'caller' && WORTH_REPEATING.has(status);
    super(code, `${call.service}.${call.method}: ${status}: ${message}`, { ...rest, retryable });
    this.service = call.service;
    this.method = call.method;
    this.origin = origin;
  }
}

/** Thrown without a call: most of the latest ones failed, and it is not time yet to try again. */
export class BreakerOpenError extends SyncCallError {
  override readonly retryInMs: number;

  /** @param retryInMs until a call is let through to try; 0 while one is under way. */
  constructor(call: SyncCallRef, retryInMs: number, cause: Error | null) {
    const message = 'not called, its breaker is open: most of the latest calls failed';
    super(call, 'UNAVAILABLE', message, { origin: 'guard', code: 'BREAKER_OPEN', cause });
    this.retryInMs = retryInMs;
  }
}

/** Thrown without a call: as many as allowed are under way, and as many as allowed wait. */
export class BulkheadFullError extends SyncCallError {
  constructor(call: SyncCallRef, limits: { maxConcurrent: number; maxQueued: number }) {
    const { maxConcurrent, maxQueued } = limits;
    const message =
      `not called, ${String(maxConcurrent)} calls are under way and ${String(maxQueued)} wait; ` +
      'raise bulkhead.maxConcurrent or maxQueued if the service can take more';
    super(call, 'RESOURCE_EXHAUSTED', message, { origin: 'guard', code: 'BULKHEAD_FULL' });
  }
}

/** Thrown without a call: there was no time left for one when it was asked for. */
export class DeadlinePassedError extends SyncCallError {
  /** @param lateMs by how much the deadline had passed. */
  constructor(
    call: SyncCallRef,
    readonly lateMs: number,
  ) {
    const message = `not called, the deadline was ${String(lateMs)} ms ago`;
    super(call, 'DEADLINE_EXCEEDED', message, { origin: 'caller', code: 'DEADLINE_PASSED' });
  }
}

/** Thrown where a request or a reply is larger than the transport's limit. */
export class MessageTooLargeError extends SyncCallError {
  constructor(call: SyncCallRef, message: string, cause?: unknown) {
    super(call, 'RESOURCE_EXHAUSTED', message, {
      origin: 'caller',
      code: 'MESSAGE_TOO_LARGE',
      cause,
    });
  }
}

function isRetryable(error: Error): boolean {
  return error instanceof KafkaEventsError && error.retryable;
}

function describeFailures(failures: readonly PublishAllFailure[]): string {
  const shown = failures.slice(0, 5).map(({ index, error }) => `  - [${index}] ${error.message}`);
  const more = failures.length - shown.length;
  return [...shown, ...(more > 0 ? [`  - and ${more} more`] : [])].join('\n');
}

/** One line for people: where and what, without payload values. */
function describeIssues(issues: readonly PayloadIssue[]): string {
  return issues
    .map(({ path, message }) => (path === '' ? message : `${path}: ${message}`))
    .join('; ');
}

function describeIds(ids: readonly string[]): string {
  const [first = ''] = ids;
  return ids.length === 1 ? `event ${first}` : `one of ${String(ids.length)} events`;
}

/** Anything thrown, as an Error: what is none becomes the `cause` of one. */
export function toError(thrown: unknown): Error {
  return isErrorLike(thrown) ? thrown : new Error(textOf(thrown), { cause: thrown });
}

// Not `instanceof`: an error may come from another realm (jest runs tests in one).
function isErrorLike(thrown: unknown): thrown is Error {
  return (
    typeof thrown === 'object' &&
    thrown !== null &&
    'message' in thrown &&
    typeof thrown.message === 'string' &&
    'name' in thrown &&
    typeof thrown.name === 'string'
  );
}

// Not the object itself as text: it may hold a payload, or a secret.
function textOf(thrown: unknown): string {
  return typeof thrown === 'object' && thrown !== null
    ? 'something that is not an Error was thrown'
    : String(thrown);
}
