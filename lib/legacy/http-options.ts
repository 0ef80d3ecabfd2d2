import type { SyncMethod, SyncReply, SyncRequest } from '../fallback/sync-service.js';
import type { SyncMetadata } from '../fallback/sync-transport.js';

export type HttpVerb = 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/** How one method becomes a request of HTTP, and its answer a reply. */
export interface HttpMethod<Request = never, Reply = unknown> {
  readonly verb: HttpVerb;
  /** Behind `baseUrl`, query included; what comes out of a request belongs into `encodeURIComponent`. */
  readonly path: string | ((request: Request) => string);
  /** Sent as JSON. Default: the request itself with POST, PUT and PATCH; nothing with the others. */
  readonly body?: (request: Request) => unknown;
  /** Makes the reply of the parsed body, null where there is none. Default: as it is. */
  readonly reply?: (body: unknown) => Reply;
}

/** A service that speaks JSON over HTTP. */
export interface HttpOptions<Api extends object> {
  /** For example `https://billing.internal/api/v1`; without user and password, which `headers` can send. */
  readonly baseUrl: string;
  readonly methods: {
    readonly [M in SyncMethod<Api>]: HttpMethod<SyncRequest<Api, M>, SyncReply<Api, M>>;
  };
  /** Sent with each request, asked for each time: a token that changes. Never logged. */
  readonly headers?: () => SyncMetadata;
  /** Largest reply. Default 4 MiB. */
  readonly maxReplyBytes?: number;
  /** In place of Node's, for example with an agent of its own. */
  readonly fetch?: typeof fetch;
}
