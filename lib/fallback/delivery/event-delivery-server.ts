import type { PeerCertificate } from 'node:tls';

import type * as GrpcPackage from '@grpc/grpc-js';
import type {
  Metadata,
  sendUnaryData,
  Server,
  ServerCredentials,
  ServerUnaryCall,
} from '@grpc/grpc-js';

import type { DirectReceiver, DirectTransport } from '../../consuming/direct/direct-transport.js';
import type { MaybePromise } from '../../contracts/maybe-promise.js';
import { importPeer } from '../../contracts/optional-peer.js';
import { withinMs } from '../../contracts/within.js';
import { DirectDeliveryError, InvalidOptionsError, toError } from '../../kafka-events.errors.js';
import {
  DEFAULT_MAX_MESSAGE_BYTES,
  fromRequest,
  loadDeliverMethod,
  REASON_TRAILER,
  toReply,
  type DeliverReply,
  type DeliverRequest,
} from './delivery-contract.js';
import { codeOf } from './delivery-status.js';

type Grpc = typeof GrpcPackage;

/** Who calls. */
export interface DeliveryPeer {
  /** As gRPC writes it, for example `127.0.0.1:40312`. */
  readonly address: string;
  /** Of a caller whose certificate `tls.clientCa` has signed; else null. */
  readonly certificate: PeerCertificate | null;
  /** The physical topic that the event is for. */
  readonly topic: string;
}

/** TLS of the server; PEM text or bytes. */
export interface DeliveryTlsOptions {
  readonly cert: string | Buffer;
  readonly key: string | Buffer;
  /** Who may call: holders of a certificate that these have signed. Others do not get a connection. */
  readonly clientCa?: string | Buffer;
}

export interface EventDeliveryOptions {
  /** Address and port, for example `0.0.0.0:50051`. */
  readonly listen: string;
  readonly tls?: DeliveryTlsOptions;
  /**
   * Says of each call whether it may be made. Without `tls.clientCa` it is all that keeps others out. What it
   * throws is no.
   */
  readonly guard?: (metadata: Metadata, peer: DeliveryPeer) => MaybePromise<boolean>;
  /** Largest call. Default 1 MiB and 64 KiB. */
  readonly maxMessageBytes?: number;
}

/** How long clients may take to go once nothing of theirs is under way. */
const GOING_MS = 1_000;

/** A status travels in a header. */
const MAX_DETAILS = 1_024;

const NEEDED_FOR = 'eventDelivery({ … })';
const OPTION = 'directDelivery.transport';

/**
 * The gRPC service `kafka_events.v1.EventDelivery`: hands events to this application's handlers that accept
 * direct delivery.
 *
 * It is closed unless it can tell who calls: without `tls.clientCa` or a `guard` there is none.
 */
export class EventDeliveryServer implements DirectTransport {
  readonly name = 'grpc';
  #server: Server | null = null;
  #port: number | null = null;

  /** @throws InvalidOptionsError where anybody could call. */
  constructor(private readonly options: EventDeliveryOptions) {
    const { tls, guard } = options;
    if (tls?.clientCa !== undefined || guard !== undefined) return;
    throw invalid('would let anybody deliver events; give it tls.clientCa, a guard, or both');
  }

  /** Where it listens; null while it does not. */
  get port(): number | null {
    return this.#port;
  }

  async listen(receiver: DirectReceiver): Promise<void> {
    const grpc = await importPeer('@grpc/grpc-js', NEEDED_FOR, () => import('@grpc/grpc-js'));
    const method = await loadDeliverMethod(NEEDED_FOR);
    const { maxMessageBytes = DEFAULT_MAX_MESSAGE_BYTES, listen } = this.options;
    const server = new grpc.Server({ 'grpc.max_receive_message_length': maxMessageBytes });
    this.#server = server;
    server.addService(
      { Deliver: method },
      {
        Deliver: (
          call: ServerUnaryCall<DeliverRequest, DeliverReply>,
          reply: sendUnaryData<DeliverReply>,
        ) => {
          void this.#answer(grpc, call, receiver).then(
            (answer) => {
              reply(null, answer);
            },
            (thrown: unknown) => {
              reply(refusal(grpc, thrown));
            },
          );
        },
      },
    );
    this.#port = await bind(server, listen, this.#credentials(grpc));
  }

  /** Calls under way are answered; connections that do not go by themselves are cut. */
  async close(): Promise<void> {
    const server = this.#server;
    this.#server = this.#port = null;
    if (server === null) return;
    const gone = new Promise((resolve) => {
      server.tryShutdown(resolve);
    });
    if (!(await withinMs(gone, GOING_MS))) server.forceShutdown();
  }

  async #answer(
    grpc: Grpc,
    call: ServerUnaryCall<DeliverRequest, DeliverReply>,
    receiver: DirectReceiver,
  ): Promise<DeliverReply> {
    const record = fromRequest(call.request);
    const refused = await this.#refused(call, record.topic);
    if (refused !== null) {
      receiver.refused(record.topic, refused);
      throw refused;
    }
    const caller = new AbortController();
    const left = (): void => {
      caller.abort();
    };
    if (call.cancelled) left();
    call.once('cancelled', left);
    const deadlineAt = Number(call.getDeadline());
    const limits = { signal: caller.signal, ...(Number.isFinite(deadlineAt) && { deadlineAt }) };
    return toReply(await receiver.deliver(record, limits));
  }

  async #refused(
    call: ServerUnaryCall<DeliverRequest, DeliverReply>,
    topic: string,
  ): Promise<DirectDeliveryError | null> {
    const { guard } = this.options;
    if (guard === undefined) return null;
    const certificate = call.getAuthContext().sslPeerCertificate ?? null;
    const peer = { address: call.getPeer(), certificate, topic };
    try {
      if (await guard(call.metadata, peer)) return null;
      return new DirectDeliveryError('denied', `the guard refused a call from ${peer.address}`);
    } catch (cause) {
      const message = `the guard failed on a call from ${peer.address}`;
      return new DirectDeliveryError('denied', message, { cause });
    }
  }

  #credentials({ ServerCredentials: credentials }: Grpc): ServerCredentials {
    const { tls } = this.options;
    if (tls === undefined) return credentials.createInsecure();
    const { cert, key, clientCa } = tls;
    const pair = { cert_chain: Buffer.from(cert), private_key: Buffer.from(key) };
    const ca = clientCa === undefined ? null : Buffer.from(clientCa);
    return credentials.createSsl(ca, [pair], ca !== null);
  }
}

/** The `transport` of the module's `directDelivery`. @throws InvalidOptionsError where anybody could call. */
export function eventDelivery(options: EventDeliveryOptions): EventDeliveryServer {
  return new EventDeliveryServer(options);
}

function bind(server: Server, address: string, credentials: ServerCredentials): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(address, credentials, (error, port) => {
      if (error === null) resolve(port);
      else reject(invalid(`cannot listen on ${address}: ${error.message}`));
    });
  });
}

function invalid(problem: string): InvalidOptionsError {
  return new InvalidOptionsError([{ option: OPTION, problem }]);
}

/** As gRPC says it; a defect of ours says nothing but that. */
function refusal(
  { Metadata: GrpcMetadata, status }: Grpc,
  thrown: unknown,
): { readonly code: number; readonly details: string; readonly metadata: Metadata } {
  const metadata = new GrpcMetadata();
  if (!(thrown instanceof DirectDeliveryError)) {
    return { code: status.INTERNAL, details: `it failed: ${toError(thrown).name}`, metadata };
  }
  metadata.set(REASON_TRAILER, thrown.reason);
  return { code: codeOf(thrown.reason), details: sendable(thrown.message), metadata };
}

/** Half a character, of which grpc-js throws while it answers, may come with what a handler says of its event. */
function sendable(text: string): string {
  return text.slice(0, MAX_DETAILS).replace(/\p{Surrogate}/gu, '\uFFFD');
}
