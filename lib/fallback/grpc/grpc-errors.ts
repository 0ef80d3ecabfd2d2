import type { ServiceError } from '@grpc/grpc-js';

import {
  MessageTooLargeError,
  SYNC_STATUSES,
  SyncCallError,
  toError,
  type SyncCallRef,
} from '../../kafka-events.errors.js';

/** What a service says of its failure may be long. */
const MAX_DETAILS = 500;

/** grpc-js has no other mark for a reply over the limit than its text. */
const TOO_LARGE = /^(Received message larger than max|Attempted to send message with a size)/;

/** What a call failed with, by its status. */
export function toSyncCallError(error: ServiceError, call: SyncCallRef): SyncCallError {
  const details = error.details.slice(0, MAX_DETAILS);
  if (TOO_LARGE.test(details)) {
    const message = `the reply is larger than maxMessageBytes: ${details}`;
    return new MessageTooLargeError(call, message, error);
  }
  // Codes are numbered from 1 in that order; a service may answer anything.
  const status = SYNC_STATUSES[error.code - 1] ?? 'UNKNOWN';
  return new SyncCallError(call, status, details, { cause: error });
}

/** What cannot be sent is the caller's fault. */
export function unsendable(what: string, thrown: unknown, call: SyncCallRef): SyncCallError {
  const cause = toError(thrown);
  const message = `not called, ${what}: ${cause.message}`;
  return new SyncCallError(call, 'INVALID_ARGUMENT', message, { origin: 'caller', cause });
}

/** Not what grpc-js says of it, which quotes the value: that may be a token. */
export function unsendableMetadata(name: string, call: SyncCallRef): SyncCallError {
  const message = `not called, its metadata "${name}" cannot be sent: a name or a value that gRPC does not allow`;
  return new SyncCallError(call, 'INVALID_ARGUMENT', message, { origin: 'caller' });
}

/** A reply that cannot be read was written by another contract: the service is as good as away. */
export function undecodable(thrown: unknown, call: SyncCallRef): SyncCallError {
  const cause = toError(thrown);
  const message = `the reply does not fit the contract: ${cause.message}`;
  return new SyncCallError(call, 'INTERNAL', message, { cause });
}
