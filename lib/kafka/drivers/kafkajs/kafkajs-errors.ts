import { DriverError, type DriverErrorKind } from '../../../kafka-events.errors.js';
import type { TopicPartition } from '../../records.js';

/**
 * Who asks: an error nobody can classify may be retried by a consumer, which only reads again, but
 * is final for a producer, whose caller must not be told "later" about something that stays.
 */
export type DriverRole = 'consumer' | 'producer';

/** What kafkajs threw, as the engine decides by it. Judged by names and codes, never by class. */
export function toDriverError(error: unknown, doing: string, role: DriverRole): DriverError {
  if (error instanceof DriverError) return error;
  const chain = causesOf(error);
  const known = chain.map(classify).find((judged) => judged !== null);
  const kind = known?.kind ?? (role === 'producer' ? 'fatal' : 'retryable');
  const reason = known?.reason ?? chain.at(-1)?.message ?? String(error);
  return new DriverError(kind, `${doing} failed: ${reason}`, { cause: error });
}

/** True when the topic asked for does not exist, or may not be seen. */
export function isUnknownTopic(error: unknown): boolean {
  return causesOf(error).some(({ type }) => type === 'UNKNOWN_TOPIC_OR_PARTITION');
}

const COORDINATION_PENDING: readonly unknown[] = [
  'GROUP_LOAD_IN_PROGRESS',
  'GROUP_COORDINATOR_NOT_AVAILABLE',
  'NOT_COORDINATOR_FOR_GROUP',
  'LEADER_NOT_AVAILABLE',
];

/** True when brokers are there but not ready yet; kafkajs gives up on these while joining. */
export function isCoordinationPending(error: unknown): boolean {
  return causesOf(error).some(({ type }) => COORDINATION_PENDING.includes(type));
}

/** The partition whose position the broker no longer holds, when that is what the error says. */
export function outOfRangePartition(error: unknown): TopicPartition | null {
  if (typeof error !== 'object' || error === null) return null;
  if (!('name' in error && 'topic' in error && 'partition' in error)) return null;
  const { name, topic, partition } = error;
  return name === 'KafkaJSOffsetOutOfRange' &&
    typeof topic === 'string' &&
    typeof partition === 'number'
    ? { topic, partition }
    : null;
}

/**
 * True when the broker refused to give some partition's records; kafkajs does not say which one.
 * A position that is out of range has a name of its own.
 */
export function isRefusedFetch(error: unknown): boolean {
  return isFailure(error) && error.name === 'KafkaJSProtocolError';
}

/** True when a broker cannot be connected to, or does not answer. */
export function isBrokerAway(error: unknown): boolean {
  const names: unknown[] = [
    'KafkaJSConnectionError',
    'KafkaJSRequestTimeoutError',
    'KafkaJSLockTimeout',
  ];
  return isFailure(error) && names.includes(error.name);
}

/** True when a request was sent and no answer came in time. */
export function isRequestTimeout(error: unknown): boolean {
  return isFailure(error) && error.name === 'KafkaJSRequestTimeoutError';
}

/** True when there is no connection to the broker, or it was closed. */
export function isConnectionLost(error: unknown): boolean {
  const names: unknown[] = ['KafkaJSConnectionError', 'KafkaJSConnectionClosedError'];
  return isFailure(error) && names.includes(error.name);
}

const UNREADABLE: readonly unknown[] = [
  'KafkaJSNotImplemented',
  'KafkaJSUnsupportedMagicByteInMessageSet',
  'KafkaJSInvalidVarIntError',
  'KafkaJSInvalidLongError',
];

/**
 * True when records were given that cannot be read: what kafkajs has no name for, codecs and Node
 * throw, and the bound for decompression. A defect of kafkajs looks alike.
 */
export function isUnreadable(error: unknown): boolean {
  return isFailure(error) && (!error.name.startsWith('KafkaJS') || UNREADABLE.includes(error.name));
}

const STALE_METADATA: readonly unknown[] = [
  'LEADER_NOT_AVAILABLE',
  'NOT_LEADER_FOR_PARTITION',
  'FENCED_LEADER_EPOCH',
  'UNKNOWN_LEADER_EPOCH',
  'UNKNOWN_TOPIC_OR_PARTITION',
];

/** True for what kafkajs answers by reading the metadata anew and joining again. */
export function isStaleMetadata(error: unknown): boolean {
  return isFailure(error) && STALE_METADATA.includes(error.type);
}

/**
 * What kafkajs is to be told of a rejoin that failed: a rebalance, so that it joins again. Told of a
 * lost connection it would go on without. What trying again does not mend is left as it is.
 */
export function asRebalance(error: unknown): unknown {
  if (!isFailure(error) || error.retriable === false) return error;
  const why = `the rejoin failed: ${error.message}`;
  return Object.assign(new Error(why, { cause: error }), { type: 'REBALANCE_IN_PROGRESS' });
}

interface KafkaJsFailure {
  readonly name: string;
  readonly message: string;
  /** Kafka's name of an error the broker answered. */
  readonly type?: unknown;
  /** Kafka's number of it, or Node's code of a network error. */
  readonly code?: unknown;
  readonly retriable?: unknown;
}

interface Judgement {
  readonly kind: DriverErrorKind;
  readonly reason: string;
}

/** From the error outwards in to its root; kafkajs nests retries, wrappers and aggregates. */
function causesOf(error: unknown): KafkaJsFailure[] {
  const chain: KafkaJsFailure[] = [];
  const queue: unknown[] = [error];
  while (queue.length > 0 && chain.length < 20) {
    const next = queue.shift();
    if (!isFailure(next)) continue;
    chain.push(next);
    if ('cause' in next) queue.push(next.cause);
    if ('errors' in next && Array.isArray(next.errors)) queue.push(...(next.errors as unknown[]));
  }
  return chain;
}

function isFailure(value: unknown): value is KafkaJsFailure {
  return (
    typeof value === 'object' &&
    value !== null &&
    'name' in value &&
    'message' in value &&
    typeof value.message === 'string'
  );
}

const KIND_OF_TYPE: Readonly<Record<string, DriverErrorKind>> = {
  SASL_AUTHENTICATION_FAILED: 'auth',
  UNSUPPORTED_SASL_MECHANISM: 'auth',
  TOPIC_AUTHORIZATION_FAILED: 'auth',
  GROUP_AUTHORIZATION_FAILED: 'auth',
  CLUSTER_AUTHORIZATION_FAILED: 'auth',
  ILLEGAL_GENERATION: 'fenced',
  UNKNOWN_MEMBER_ID: 'fenced',
  REBALANCE_IN_PROGRESS: 'fenced',
  FENCED_INSTANCE_ID: 'fenced',
  MESSAGE_TOO_LARGE: 'too-large',
  RECORD_LIST_TOO_LARGE: 'too-large',
  UNKNOWN_TOPIC_OR_PARTITION: 'unknown-topic',
  INVALID_TOPIC_EXCEPTION: 'unknown-topic',
  INVALID_RECORD: 'invalid-record',
  POLICY_VIOLATION: 'invalid-record',
  // Who stamps records with the time of their request would blame each of them for a wrong clock.
  INVALID_TIMESTAMP: 'fatal',
  // The producer has lost count of its own records. Its caller discards it, and another may retry.
  OUT_OF_ORDER_SEQUENCE_NUMBER: 'retryable',
  DUPLICATE_SEQUENCE_NUMBER: 'retryable',
  INVALID_PRODUCER_EPOCH: 'retryable',
  UNKNOWN_PRODUCER_ID: 'retryable',
};

const KIND_OF_NAME: Readonly<Record<string, DriverErrorKind>> = {
  KafkaJSSASLAuthenticationError: 'auth',
  KafkaJSNotImplemented: 'fatal',
  KafkaJSServerDoesNotSupportApiKey: 'fatal',
  KafkaJSLockTimeout: 'retryable',
  KafkaJSTimeout: 'retryable',
  KafkaJSGroupCoordinatorNotFound: 'retryable',
};

/** Thrown without a name, before anything is sent: the connection went while its request waited its turn. */
const NOT_CONNECTED = 'Broker not connected';

/**
 * What kafkajs fails with where each broker has failed to answer a question about topics: it takes the
 * nothing that it has then for an answer, and reads in it. Why they failed it keeps to itself.
 */
const NO_ANSWER = "Cannot read properties of null (reading 'topicMetadata')";

/** Codes of Node and OpenSSL for a certificate we were not told to trust. */
const UNTRUSTED_CERTIFICATE =
  /^(CERT_|SELF_SIGNED_|DEPTH_ZERO_|UNABLE_TO_(GET_ISSUER|VERIFY)|ERR_TLS_CERT_|HOSTNAME_MISMATCH)/;

function classify(failure: KafkaJsFailure): Judgement | null {
  const { name, message, type, code } = failure;
  if (failure instanceof DriverError) return { kind: failure.kind, reason: message };
  if (typeof code === 'string' && UNTRUSTED_CERTIFICATE.test(code)) {
    return {
      kind: 'auth',
      reason: `the broker's certificate is not trusted (${code}); check the option "ssl" and its "ca"`,
    };
  }
  if (message === NO_ANSWER) return { kind: 'retryable', reason: 'no broker answered' };
  const kind =
    (typeof type === 'string' ? KIND_OF_TYPE[type] : undefined) ??
    KIND_OF_NAME[name] ??
    (message.startsWith('The producer is disconnect') ? 'closed' : undefined) ??
    (message === NOT_CONNECTED ? 'retryable' : undefined) ??
    (isRootOf(failure) && failure.retriable === true ? 'retryable' : undefined);
  return kind === undefined ? null : { kind, reason: message };
}

// kafkajs wraps as it rethrows, and its wrappers say "retriable" of anything: only the root knows.
function isRootOf(failure: object): boolean {
  return !('cause' in failure) || failure.cause === undefined || failure.cause === failure;
}
