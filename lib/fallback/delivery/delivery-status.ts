import type { DirectDeliveryReason } from '../../kafka-events.errors.js';

/** Of gRPC: https://grpc.io/docs/guides/status-codes */
const CODES = {
  CANCELLED: 1,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  ABORTED: 10,
  UNAVAILABLE: 14,
  UNAUTHENTICATED: 16,
} as const;

/** The status of each refusal; that it may pass is what ABORTED, UNAVAILABLE and RESOURCE_EXHAUSTED say. */
const STATUS: Readonly<Record<DirectDeliveryReason, keyof typeof CODES>> = {
  unauthenticated: 'UNAUTHENTICATED',
  denied: 'PERMISSION_DENIED',
  'topic-not-consumed': 'NOT_FOUND',
  'topic-private': 'PERMISSION_DENIED',
  'event-unknown': 'NOT_FOUND',
  'event-not-accepted': 'FAILED_PRECONDITION',
  'event-id-missing': 'INVALID_ARGUMENT',
  malformed: 'INVALID_ARGUMENT',
  'too-large': 'RESOURCE_EXHAUSTED',
  rejected: 'INVALID_ARGUMENT',
  failed: 'ABORTED',
  'in-progress': 'ABORTED',
  held: 'UNAVAILABLE',
  'store-away': 'UNAVAILABLE',
  late: 'DEADLINE_EXCEEDED',
  busy: 'RESOURCE_EXHAUSTED',
  'not-ready': 'UNAVAILABLE',
  unreachable: 'UNAVAILABLE',
};

export function codeOf(reason: DirectDeliveryReason): number {
  return CODES[STATUS[reason]];
}

/** grpc-js tells a message over the limit by its text alone. */
const TOO_LARGE = /message larger than max|Attempted to send message with a size/;

/** How the handshake says that it does not know the caller, as far as TLS lets it say anything. */
const TLS_ALERT = /alert|certificate|handshake|EPROTO|ERR_SSL/i;

/**
 * Why a call failed.
 *
 * @param said what the trailer names.
 */
export function reasonOf(code: number, details: string, said: string | null): DirectDeliveryReason {
  const named = Object.keys(STATUS).find((reason) => reason === said);
  // Object.keys knows no more than that they are texts.
  if (named !== undefined) return named as DirectDeliveryReason;
  switch (code) {
    case CODES.UNAUTHENTICATED:
      return 'unauthenticated';
    case CODES.PERMISSION_DENIED:
      return 'denied';
    case CODES.INVALID_ARGUMENT:
      return 'malformed';
    case CODES.CANCELLED:
    case CODES.DEADLINE_EXCEEDED:
      return 'late';
    case CODES.RESOURCE_EXHAUSTED:
      return TOO_LARGE.test(details) ? 'too-large' : 'busy';
    case CODES.UNAVAILABLE:
      return TLS_ALERT.test(details) ? 'unauthenticated' : 'unreachable';
    default:
      return 'unreachable';
  }
}
