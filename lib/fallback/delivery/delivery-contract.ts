import type { MethodDefinition } from '@grpc/proto-loader';

import type { DirectRecord } from '../../consuming/direct/direct-record.js';
import type {
  DirectHandlerReply,
  DirectOutcome,
  DirectReceipt,
} from '../../consuming/direct/direct-reply.js';
import { importPeer } from '../../contracts/optional-peer.js';
import { DirectDeliveryError } from '../../kafka-events.errors.js';
import { DELIVERY_DESCRIPTOR } from './delivery-descriptor.js';

/** As proto-loader reads and writes the messages of the contract; what is absent may be null. */
export interface DeliverRequest {
  readonly topic?: string;
  readonly key?: Buffer | null;
  readonly value?: Buffer | null;
  readonly headers?: readonly { readonly name?: string; readonly value?: Buffer | null }[];
  readonly timestampMs?: number;
}

export interface DeliverReply {
  readonly handlers?: readonly {
    readonly groupId?: string;
    readonly handlerId?: string;
    readonly outcome?: string;
  }[];
}

export type DeliverMethod = MethodDefinition<DeliverRequest, DeliverReply>;

/** Largest message by default: the largest record that a publisher sends by default, and what is around it. */
export const DEFAULT_MAX_MESSAGE_BYTES = 1024 * 1024 + 64 * 1024;

/** The trailer that carries a `DirectDeliveryReason`. */
export const REASON_TRAILER = 'kafka-events-reason';

const SERVICE = 'kafka_events.v1.EventDelivery';

/** The one method of the service. @throws MissingPeerError */
export async function loadDeliverMethod(neededFor: string): Promise<DeliverMethod> {
  const loader = await importPeer(
    '@grpc/proto-loader',
    neededFor,
    () => import('@grpc/proto-loader'),
  );
  const contract = loader.fromJSON(DELIVERY_DESCRIPTOR, { longs: Number });
  const service = contract[SERVICE] as Readonly<Record<string, DeliverMethod>> | undefined;
  const method = service?.Deliver;
  if (method === undefined) throw new TypeError(`there is no ${SERVICE}`);
  return method;
}

export function toRequest(record: DirectRecord): DeliverRequest {
  const { topic, key, value, headers, timestamp } = record;
  return {
    topic,
    key,
    value,
    headers: headers.map(([name, bytes]) => ({ name, value: bytes })),
    timestampMs: timestamp,
  };
}

/** @throws DirectDeliveryError `malformed` for a call that names no topic. */
export function fromRequest(request: DeliverRequest): DirectRecord {
  const { topic = '', key = null, value = null, headers = [], timestampMs = 0 } = request;
  if (topic === '') throw new DirectDeliveryError('malformed', 'the call names no topic');
  return {
    topic,
    key,
    value,
    headers: headers.map(({ name = '', value: bytes = null }) => [name, bytes] as const),
    timestamp: timestampMs,
  };
}

export function toReply({ handlers }: DirectReceipt): DeliverReply {
  return {
    handlers: handlers.map(({ groupId, handlerId, outcome }) => ({ groupId, handlerId, outcome })),
  };
}

export function fromReply({ handlers = [] }: DeliverReply): DirectReceipt {
  return {
    handlers: handlers.map(
      ({ groupId = '', handlerId = '', outcome = '' }): DirectHandlerReply => ({
        groupId,
        handlerId,
        outcome: DONE.find((each) => each === outcome) ?? 'handled',
        error: null,
      }),
    ),
  };
}

/** What a handler may be named with in a reply; a newer server's word for done is still done. */
const DONE: readonly DirectOutcome[] = ['handled', 'duplicate', 'left-to-kafka'];
