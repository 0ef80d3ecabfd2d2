import type * as GrpcPackage from '@grpc/grpc-js';
import type { Client, Metadata, ServiceError } from '@grpc/grpc-js';

import type { DirectRecord } from '../../consuming/direct/direct-record.js';
import type { DirectReceipt } from '../../consuming/direct/direct-reply.js';
import type { DirectLimits, DirectTarget } from '../../consuming/direct/direct-transport.js';
import { systemClock } from '../../contracts/clock.js';
import { importPeer } from '../../contracts/optional-peer.js';
import { DirectDeliveryError } from '../../kafka-events.errors.js';
import { CHANNEL, credentialsOf } from '../grpc/channel.js';
import {
  fromReply,
  loadDeliverMethod,
  REASON_TRAILER,
  toRequest,
  type DeliverMethod,
  type DeliverReply,
} from './delivery-contract.js';
import { reasonOf } from './delivery-status.js';

type Grpc = typeof GrpcPackage;

/** TLS towards an `EventDelivery` service; PEM text or bytes. */
export interface DeliveryTargetTls {
  /** Authorities to trust. Default: those of Node. */
  readonly ca?: string | Buffer;
  /** This side's certificate and key, which the other side asks for; both or none. */
  readonly cert?: string | Buffer;
  readonly key?: string | Buffer;
}

export interface DeliveryTargetOptions {
  /** `host:port`, or any target that gRPC resolves, such as `dns:///fulfilment:50051`. */
  readonly url: string;
  /** True: TLS with Node's authorities. Default false. */
  readonly tls?: boolean | DeliveryTargetTls;
  /** Sent with each call, asked for each time: a token for the guard of the other side. Never logged. */
  readonly metadata?: () => Readonly<Record<string, string>>;
  /** How long a delivery may take that says nothing else. Default 5 s. */
  readonly deadlineMs?: number;
}

const DEFAULT_DEADLINE_MS = 5_000;
const NEEDED_FOR = 'deliverTo({ … })';

interface Opened {
  readonly grpc: Grpc;
  readonly method: DeliverMethod;
  readonly client: Client;
}

/** An `EventDelivery` service of another process: see `EventDeliveryServer`. */
export class EventDeliveryTarget implements DirectTarget {
  readonly name: string;
  #opening: Promise<Opened> | null = null;

  constructor(private readonly options: DeliveryTargetOptions) {
    this.name = `gRPC EventDelivery at ${options.url}`;
  }

  async deliver(record: DirectRecord, limits: DirectLimits = {}): Promise<DirectReceipt> {
    this.#opening ??= this.#open();
    const { grpc, method, client } = await this.#opening;
    const metadata = this.#metadata(new grpc.Metadata());
    return fromReply(await this.#send({ client, method, metadata }, record, limits));
  }

  close(): void {
    const opening = this.#opening;
    this.#opening = null;
    void opening?.then(
      ({ client }) => {
        client.close();
      },
      () => undefined,
    );
  }

  async #open(): Promise<Opened> {
    const grpc = await importPeer('@grpc/grpc-js', NEEDED_FOR, () => import('@grpc/grpc-js'));
    const method = await loadDeliverMethod(NEEDED_FOR);
    const { url, tls = false } = this.options;
    return { grpc, method, client: new grpc.Client(url, credentialsOf(grpc, tls), CHANNEL) };
  }

  #metadata(into: Metadata): Metadata {
    for (const [name, text] of Object.entries(this.options.metadata?.() ?? {})) {
      try {
        into.set(name, text);
      } catch {
        // Not what grpc-js says of it, which quotes the value: that may be a token.
        const problem = `metadata "${name}" has a name or a value that gRPC does not allow`;
        throw new DirectDeliveryError('unauthenticated', `${this.name}: not called, ${problem}`);
      }
    }
    return into;
  }

  #send(
    {
      client,
      method,
      metadata,
    }: Pick<Opened, 'client' | 'method'> & { readonly metadata: Metadata },
    record: DirectRecord,
    { deadlineAt, signal }: DirectLimits,
  ): Promise<DeliverReply> {
    const { path, requestSerialize, responseDeserialize } = method;
    const { deadlineMs = DEFAULT_DEADLINE_MS } = this.options;
    const deadline = deadlineAt ?? systemClock.wallTime().getTime() + deadlineMs;
    const message = toRequest(record);
    return new Promise((resolve, reject) => {
      const cancel = (): void => {
        call.cancel();
      };
      const call = client.makeUnaryRequest(
        ...([
          path,
          requestSerialize,
          responseDeserialize,
          message,
          metadata,
          { deadline },
        ] as const),
        (error, reply) => {
          signal?.removeEventListener('abort', cancel);
          if (error === null) resolve(reply ?? {});
          else reject(this.#failed(error));
        },
      );
      if (signal?.aborted === true) cancel();
      signal?.addEventListener('abort', cancel, { once: true });
    });
  }

  #failed(error: ServiceError): DirectDeliveryError {
    const { code, details, metadata } = error;
    const [said] = metadata.get(REASON_TRAILER);
    const reason = reasonOf(code, details, typeof said === 'string' ? said : null);
    return new DirectDeliveryError(reason, `${this.name}: ${details}`, { cause: error });
  }
}

/** Another process's `EventDelivery` service, for the module's `hybrid.directTo`. */
export function deliverTo(options: DeliveryTargetOptions): EventDeliveryTarget {
  return new EventDeliveryTarget(options);
}
