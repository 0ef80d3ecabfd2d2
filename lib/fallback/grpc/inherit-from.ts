import type { ServerUnaryCall } from '@grpc/grpc-js';

import { HEADERS } from '../../contracts/event-headers.js';
import type { SyncCallOptions } from '../call-options.js';

/** What is needed of the call that a gRPC server hands to its handlers: Nest's third argument. */
export type IncomingCall = Pick<ServerUnaryCall<unknown, unknown>, 'metadata' | 'getDeadline'> & {
  readonly cancelled: boolean;
  once(event: 'cancelled', listener: () => void): unknown;
};

/**
 * Options for calls that are made while a call from outside is answered: they end when that does, and carry
 * its correlation id and trace on.
 *
 *     @GrpcMethod() checkOut(order, metadata, call) { … sync.service(Inventory).call('getStock', …, inheritFrom(call)) }
 */
export function inheritFrom(call: IncomingCall): SyncCallOptions {
  const cancelled = new AbortController();
  if (call.cancelled) cancelled.abort();
  else
    call.once('cancelled', () => {
      cancelled.abort();
    });
  const correlationId = textOf(call, HEADERS.correlationId);
  return {
    deadline: call.getDeadline(),
    signal: cancelled.signal,
    ...(correlationId !== undefined && { correlationId }),
    metadata: traceOfCall(call),
  };
}

function traceOfCall(call: IncomingCall): Record<string, string> {
  const trace: Record<string, string> = {};
  for (const name of [HEADERS.traceparent, HEADERS.tracestate]) {
    const text = textOf(call, name);
    if (text !== undefined) trace[name] = text;
  }
  return trace;
}

function textOf(call: IncomingCall, name: string): string | undefined {
  const [value] = call.metadata.get(name);
  return typeof value === 'string' ? value : undefined;
}
