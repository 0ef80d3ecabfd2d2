import type { Client, Metadata } from '@grpc/grpc-js';

import { importPeer } from '../../contracts/optional-peer.js';
import { MessageTooLargeError, SyncCallError } from '../../kafka-events.errors.js';
import type { SyncAttempt, SyncMetadata, SyncTransport } from '../sync-transport.js';
import { credentialsOf } from './channel.js';
import { unaryMethods, type UnaryMethod } from './grpc-contract.js';
import { toSyncCallError, undecodable, unsendable, unsendableMetadata } from './grpc-errors.js';
import {
  channelOptionsOf,
  DEFAULT_LOADER,
  DEFAULT_MAX_MESSAGE_BYTES,
  type GrpcOptions,
} from './grpc-options.js';

/** What there is once it is open. */
interface Opened {
  readonly methods: ReadonlyMap<string, UnaryMethod>;
  readonly connect: () => Client;
  readonly newMetadata: () => Metadata;
}

const NEEDED_FOR = 'grpc({ … })';

/**
 * Calls a gRPC service, with grpc-js.
 *
 * Not through Nest's `ClientGrpcProxy`, which stands on the same client: it ends the process where a package
 * is missing, and encodes inside the call, so that a request that does not fit the contract, or is too
 * large, comes back as a failure of the service. Here messages are encoded before and decoded after the
 * call, and what is wrong with them is known for what it is. Nest's servers are called like any others.
 */
class GrpcTransport implements SyncTransport {
  readonly name: string;
  readonly #maxBytes: number;
  #opened: Opened | null = null;
  #client: Client | null = null;

  constructor(private readonly options: GrpcOptions) {
    const { package: packageName, service, url } = options;
    this.name = `gRPC ${packageName}.${service} at ${url}`;
    this.#maxBytes = options.maxMessageBytes ?? DEFAULT_MAX_MESSAGE_BYTES;
  }

  async open(): Promise<readonly string[]> {
    const grpc = await importPeer('@grpc/grpc-js', NEEDED_FOR, () => import('@grpc/grpc-js'));
    const loader = await importPeer(
      '@grpc/proto-loader',
      NEEDED_FOR,
      () => import('@grpc/proto-loader'),
    );
    const { url, protoPath, package: packageName, service } = this.options;
    const files = typeof protoPath === 'string' ? protoPath : [...protoPath];
    const contract = await loader.load(files, { ...DEFAULT_LOADER, ...this.options.loader });
    const methods = unaryMethods(contract, packageName, service);
    const credentials = credentialsOf(grpc, checkedTls(this.options.tls ?? false));
    this.#opened = {
      methods,
      connect: () => new grpc.Client(url, credentials, channelOptionsOf(this.options)),
      newMetadata: () => new grpc.Metadata(),
    };
    return [...methods.keys()];
  }

  async call(request: unknown, attempt: SyncAttempt): Promise<unknown> {
    if (this.#opened === null) throw new Error('the transport is not open');
    const { methods, connect } = this.#opened;
    const method = methods.get(attempt.method);
    if (method === undefined) {
      throw new SyncCallError(attempt, 'UNIMPLEMENTED', 'not called, there is no such method', {
        origin: 'caller',
      });
    }
    const bytes = this.#encode(method, request, attempt);
    const metadata = this.#metadata(this.#opened.newMetadata(), attempt);
    this.#client ??= connect();
    const reply = await send(this.#client, method.path, bytes, metadata, attempt);
    try {
      return method.responseDeserialize(reply);
    } catch (thrown) {
      throw undecodable(thrown, attempt);
    }
  }

  /** The next call makes a new connection; calls under way end on the one they have. */
  renew(): void {
    this.#client?.close();
    this.#client = null;
  }

  close(): void {
    this.renew();
  }

  #encode(method: UnaryMethod, request: unknown, attempt: SyncAttempt): Buffer {
    const bytes = serialized(method, request, attempt);
    if (bytes.length <= this.#maxBytes) return bytes;
    const size = `${String(bytes.length)} bytes`;
    const limit = `maxMessageBytes is ${String(this.#maxBytes)}`;
    throw new MessageTooLargeError(attempt, `not called, the request has ${size}, and ${limit}`);
  }

  #metadata(into: Metadata, attempt: SyncAttempt): Metadata {
    for (const [name, text] of Object.entries(this.#allMetadata(attempt))) {
      try {
        into.set(name, text);
      } catch {
        throw unsendableMetadata(name, attempt);
      }
    }
    return into;
  }

  #allMetadata(attempt: SyncAttempt): SyncMetadata {
    try {
      return { ...this.options.metadata?.(), ...attempt.metadata };
    } catch (thrown) {
      throw unsendable('its metadata cannot be made', thrown, attempt);
    }
  }
}

/** A service that speaks gRPC, as its contract says: the `transport` of a `syncService`. */
export function grpc(options: GrpcOptions): SyncTransport {
  return new GrpcTransport(options);
}

function serialized(method: UnaryMethod, request: unknown, attempt: SyncAttempt): Buffer {
  try {
    if (typeof request !== 'object' || request === null) throw new TypeError('it is no object');
    return method.requestSerialize(request);
  } catch (thrown) {
    throw unsendable('the request does not fit the contract', thrown, attempt);
  }
}

function send(
  client: Client,
  path: string,
  bytes: Buffer,
  metadata: Metadata,
  attempt: SyncAttempt,
): Promise<Buffer> {
  const { deadline, signal } = attempt;
  const asTheyAre = (message: Buffer) => message;
  return new Promise((resolve, reject) => {
    const cancel = () => {
      sent.cancel();
    };
    const sent = client.makeUnaryRequest(
      ...([path, asTheyAre, asTheyAre, bytes, metadata, { deadline }] as const),
      (error, reply) => {
        signal.removeEventListener('abort', cancel);
        if (error === null) resolve(reply ?? Buffer.alloc(0));
        else reject(toSyncCallError(error, attempt));
      },
    );
    signal.addEventListener('abort', cancel, { once: true });
  });
}

function checkedTls(tls: NonNullable<GrpcOptions['tls']>): NonNullable<GrpcOptions['tls']> {
  if (typeof tls === 'object' && (tls.cert === undefined) !== (tls.key === undefined)) {
    throw new Error('tls.cert and tls.key go together: give both or none');
  }
  return tls;
}
