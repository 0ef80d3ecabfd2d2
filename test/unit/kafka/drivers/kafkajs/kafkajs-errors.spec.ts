import { describe, expect, it } from '@jest/globals';
import kafkajs from 'kafkajs';
import { DriverError } from '../../../../../lib/kafka-events.errors.js';
import {
  isCoordinationPending,
  isUnknownTopic,
  outOfRangePartition,
  toDriverError,
} from '../../../../../lib/kafka/drivers/kafkajs/kafkajs-errors.js';

function protocolError(type: string, code: number, retriable = false): Error {
  const of = { name: 'Error', type, code, retriable, message: `the broker said ${type}` };
  return new kafkajs.KafkaJSProtocolError(of);
}

/** As kafkajs wraps what it retried in vain. */
const afterRetries = (error: Error) =>
  new kafkajs.KafkaJSNumberOfRetriesExceeded(error, { retryCount: 5, retryTime: 100 });

function connectionError(message: string, code: string): Error {
  return new kafkajs.KafkaJSConnectionError(message, { broker: 'b:9092', code });
}

describe('toDriverError', () => {
  it.each([
    ['ILLEGAL_GENERATION', 22, 'fenced'],
    ['UNKNOWN_MEMBER_ID', 25, 'fenced'],
    ['REBALANCE_IN_PROGRESS', 27, 'fenced'],
    ['MESSAGE_TOO_LARGE', 10, 'too-large'],
    ['RECORD_LIST_TOO_LARGE', 18, 'too-large'],
    ['UNKNOWN_TOPIC_OR_PARTITION', 3, 'unknown-topic'],
    ['TOPIC_AUTHORIZATION_FAILED', 29, 'auth'],
    ['GROUP_AUTHORIZATION_FAILED', 30, 'auth'],
    ['SASL_AUTHENTICATION_FAILED', 58, 'auth'],
    ['INVALID_RECORD', 87, 'invalid-record'],
    ['POLICY_VIOLATION', 44, 'invalid-record'],
    ['INVALID_TIMESTAMP', 32, 'fatal'],
    ['INVALID_REQUIRED_ACKS', 21, 'fatal'],
    ['UNSUPPORTED_COMPRESSION_TYPE', 76, 'fatal'],
    ['OUT_OF_ORDER_SEQUENCE_NUMBER', 45, 'retryable'],
  ])('knows %s, bare and after retries', (type, code, kind) => {
    const error = protocolError(type, code, type === 'UNKNOWN_TOPIC_OR_PARTITION');
    for (const thrown of [error, afterRetries(error)]) {
      const judged = toDriverError(thrown, 'sending', 'producer');
      expect(judged.kind).toBe(kind);
      expect(judged.message).toBe(`sending failed: the broker said ${type}`);
      expect(judged.cause).toBe(thrown);
    }
  });

  it('takes what the broker calls passing for retryable', () => {
    const error = afterRetries(protocolError('NOT_ENOUGH_REPLICAS', 19, true));
    expect(toDriverError(error, 'sending', 'producer').kind).toBe('retryable');
    const timeout = new kafkajs.KafkaJSRequestTimeoutError('timed out', {
      ...{ broker: 'b', clientId: 'c', correlationId: 1 },
      ...{ createdAt: 0, sentAt: 0, pendingDuration: 0 },
    });
    expect(toDriverError(timeout, 'sending', 'producer').kind).toBe('retryable');
    const refused = afterRetries(connectionError('refused', 'ECONNREFUSED'));
    expect(toDriverError(refused, 'joining', 'consumer').kind).toBe('retryable');
  });

  it('lets consumers retry what nobody knows, but not producers', () => {
    const unknown = protocolError('KAFKAJS_UNKNOWN_ERROR_CODE', -99);
    expect(toDriverError(unknown, 'x', 'producer').kind).toBe('fatal');
    expect(toDriverError(unknown, 'x', 'consumer').kind).toBe('retryable');
    for (const thrown of [new TypeError('boom'), 'boom', null, undefined]) {
      expect(toDriverError(thrown, 'x', 'producer').kind).toBe('fatal');
      expect(toDriverError(thrown, 'x', 'consumer').kind).toBe('retryable');
    }
  });

  it('takes a connection that went before its request was sent for one to be tried again', () => {
    // What kafkajs 2.2.4 throws where the lookup finds no connection any more.
    const unnamed = new Error('Broker not connected');
    expect(toDriverError(unnamed, 'looking up topics', 'producer').kind).toBe('retryable');
    expect(toDriverError(afterRetries(unnamed), 'x', 'producer').kind).toBe('retryable');
  });

  it.each([
    'SELF_SIGNED_CERT_IN_CHAIN',
    'DEPTH_ZERO_SELF_SIGNED_CERT',
    'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
    'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
    'CERT_HAS_EXPIRED',
    'ERR_TLS_CERT_ALTNAME_INVALID',
  ])('names a certificate that is not trusted: %s', (code) => {
    const judged = toDriverError(afterRetries(connectionError('tls', code)), 'x', 'producer');
    expect(judged.kind).toBe('auth');
    expect(judged.message).toContain(code);
  });

  it('keeps a driver error, also inside of what kafkajs wraps around it', () => {
    const error = new DriverError('too-large', 'mine');
    expect(toDriverError(error, 'x', 'producer')).toBe(error);
    const wrapped = Object.assign(new Error('outer'), { cause: error });
    expect(toDriverError(wrapped, 'x', 'consumer').kind).toBe('too-large');
  });

  it('ends on causes that go in circles', () => {
    const error: Error & { cause?: unknown } = new Error('round');
    error.cause = error;
    expect(toDriverError(error, 'x', 'producer').kind).toBe('fatal');
  });
});

describe('questions about errors', () => {
  it('are answered through wrappers and aggregates', () => {
    const unknown = protocolError('UNKNOWN_TOPIC_OR_PARTITION', 3);
    const loading = protocolError('GROUP_LOAD_IN_PROGRESS', 14);
    expect(isUnknownTopic(afterRetries(unknown))).toBe(true);
    expect(isUnknownTopic(new kafkajs.KafkaJSAggregateError('all', [unknown]))).toBe(true);
    expect(isUnknownTopic(loading)).toBe(false);
    expect(isCoordinationPending(afterRetries(loading))).toBe(true);
    expect(isCoordinationPending(unknown)).toBe(false);
  });

  it('finds the partition that is out of range', () => {
    const error = new kafkajs.KafkaJSOffsetOutOfRange(protocolError('OFFSET_OUT_OF_RANGE', 1), {
      topic: 'orders',
      partition: 3,
    });
    expect(outOfRangePartition(error)).toEqual({ topic: 'orders', partition: 3 });
    expect(outOfRangePartition(new Error('other'))).toBeNull();
    expect(outOfRangePartition(undefined)).toBeNull();
  });
});
