import type { Session } from './server/session.js';
import type { Cluster } from './state/cluster.js';
import type { WireReader } from './wire/wire-reader.js';
import type { WireWriter } from './wire/wire-writer.js';

/** Around one request: who asks, and whom. */
export interface RequestCall {
  readonly cluster: Cluster;
  /** The broker that was asked. */
  readonly nodeId: number;
  /** The name of the listener the client came through; its own addresses are advertised to it. */
  readonly listener: string;
  readonly clientId: string | null;
  readonly clientHost: string;
  readonly apiVersion: number;
  /** The connection's authentication. */
  readonly session: Session;
  /** Aborted when the connection ends: nobody waits for the answer any more. */
  readonly signal: AbortSignal;
}

/**
 * One request of the Kafka protocol: how it is read, answered and refused. One file for each, found
 * by its name in `requests/`.
 */
export interface BrokerRequest<Request, Response> {
  /** The protocol's `apiKey`. */
  readonly key: number;
  readonly minVersion: number;
  readonly maxVersion: number;
  /** What ApiVersions tells for `minVersion`, where clients need to see more than is answered. */
  readonly advertisedMinVersion?: number;
  read(reader: WireReader, version: number): Request;
  write(writer: WireWriter, response: Response, version: number): void;
  /** Null where the client waits for no answer (a produce with acks 0). */
  handle(request: Request, call: RequestCall): Promise<Response | null> | Response | null;
  /** The answer that refuses everything that was asked for with one error code. */
  refuse(request: Request, errorCode: number): Response;
}

/** Declares a request with its types inferred. */
export function brokerRequest<Request, Response>(
  request: BrokerRequest<Request, Response>,
): BrokerRequest<Request, Response> {
  return request;
}
