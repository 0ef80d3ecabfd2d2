import type { SyncAttempt, SyncMetadata, SyncTransport } from '../fallback/sync-transport.js';
import { MessageTooLargeError, SyncCallError, toError } from '../kafka-events.errors.js';
import type { HttpMethod, HttpOptions } from './http-options.js';
import { readAtMost } from './read-at-most.js';
import { syncStatusOf } from './http-status.js';

const MIB = 1024 * 1024;
const DEFAULT_MAX_REPLY_BYTES = 4 * MIB;
/** Of what a service says of its failure. */
const MAX_DETAILS = 200;

/** Calls a service with JSON over HTTP, with Node's `fetch`. */
class HttpTransport implements SyncTransport {
  readonly name: string;
  readonly #methods: ReadonlyMap<string, HttpMethod>;
  readonly #maxBytes: number;

  constructor(
    private readonly options: Omit<HttpOptions<object>, 'methods'>,
    methods: object,
  ) {
    this.name = `HTTP at ${withoutSecrets(options.baseUrl)}`;
    this.#methods = new Map<string, HttpMethod>(Object.entries(methods));
    this.#maxBytes = options.maxReplyBytes ?? DEFAULT_MAX_REPLY_BYTES;
  }

  /** @throws Error for a `baseUrl` that is none or holds a password, and for methods without a verb or a path. */
  open(): readonly string[] {
    const { protocol, username, password } = new URL(this.options.baseUrl);
    if (!['http:', 'https:'].includes(protocol)) {
      throw new Error(`baseUrl must begin with http:// or https://, not ${protocol}`);
    }
    if (username !== '' || password !== '') {
      throw new Error('baseUrl must hold no user and no password: send them with headers');
    }
    for (const [name, { verb, path }] of this.#methods) {
      if (typeof verb !== 'string' || !['string', 'function'].includes(typeof path)) {
        throw new Error(`methods.${name} needs a verb and a path`);
      }
    }
    return [...this.#methods.keys()];
  }

  async call(request: unknown, attempt: SyncAttempt): Promise<unknown> {
    const method = this.#methods.get(attempt.method);
    if (method === undefined) throw unsendable(new Error('there is no such method'), attempt);
    const [url, init] = this.#requestOf(method, request as never, attempt);
    const response = await this.#fetch(url, init, attempt);
    const text = await this.#textOf(response, attempt);
    if (!response.ok) {
      const details = `HTTP ${String(response.status)} ${text.slice(0, MAX_DETAILS)}`.trim();
      throw new SyncCallError(attempt, syncStatusOf(response.status), details);
    }
    try {
      const body: unknown = text === '' ? null : JSON.parse(text);
      return method.reply === undefined ? body : method.reply(body);
    } catch (thrown) {
      const cause = toError(thrown);
      const message = `the reply does not fit the contract: ${cause.message}`;
      throw new SyncCallError(attempt, 'INTERNAL', message, { cause });
    }
  }

  close(): void {
    // Connections are those of Node's `fetch`, which closes them when they are idle.
  }

  #requestOf(method: HttpMethod, request: never, attempt: SyncAttempt): [URL, RequestInit] {
    try {
      const { verb, path, body } = method;
      const url = new URL(
        withoutSlash(this.options.baseUrl) + (typeof path === 'string' ? path : path(request)),
      );
      const hasBody = body !== undefined || ['POST', 'PUT', 'PATCH'].includes(verb);
      const sent: unknown = body === undefined ? request : body(request);
      const headers = headersOf({
        accept: 'application/json',
        ...(hasBody && { 'content-type': 'application/json' }),
        ...this.options.headers?.(),
        ...attempt.metadata,
      });
      const { signal } = attempt;
      const init: RequestInit = { method: verb, headers, signal, redirect: 'manual' };
      return [url, hasBody ? { ...init, body: JSON.stringify(sent) } : init];
    } catch (thrown) {
      throw unsendable(thrown, attempt);
    }
  }

  async #fetch(url: URL, init: RequestInit, attempt: SyncAttempt): Promise<Response> {
    try {
      return await (this.options.fetch ?? fetch)(url, init);
    } catch (thrown) {
      throw lost(thrown, attempt);
    }
  }

  async #textOf(response: Response, attempt: SyncAttempt): Promise<string> {
    let bytes: Buffer | null;
    try {
      bytes = await readAtMost(response, this.#maxBytes);
    } catch (thrown) {
      throw lost(thrown, attempt);
    }
    if (bytes !== null) return bytes.toString();
    const message = `the reply has more than ${String(this.#maxBytes)} bytes, see maxReplyBytes`;
    throw new MessageTooLargeError(attempt, message);
  }
}

/**
 * A service that speaks JSON over HTTP: the `transport` of a `syncService`. Statuses of HTTP become those that
 * `SyncCallError` has; correlation id and trace go along as headers.
 */
export function httpJson<Api extends object>(options: HttpOptions<Api>): SyncTransport {
  const { methods, ...rest } = options;
  return new HttpTransport(rest, methods);
}

/** Nothing came back; what `fetch` says of the reason is in its error's cause. */
function lost(thrown: unknown, attempt: SyncAttempt): SyncCallError {
  const error = toError(thrown);
  const cause = error.cause === undefined ? error : toError(error.cause);
  return new SyncCallError(attempt, 'UNAVAILABLE', cause.message, { cause });
}

function unsendable(thrown: unknown, attempt: SyncAttempt): SyncCallError {
  const cause = toError(thrown);
  const message = `not called, the request cannot be made: ${cause.message}`;
  return new SyncCallError(attempt, 'INVALID_ARGUMENT', message, { origin: 'caller', cause });
}

/** Not what `Headers` says of it, which quotes the value: that may be a token. */
function headersOf(all: SyncMetadata): Headers {
  const headers = new Headers();
  for (const [name, text] of Object.entries(all)) {
    try {
      headers.append(name, text);
    } catch {
      throw new Error(
        `its header "${name}" cannot be sent: a name or a value that HTTP does not allow`,
      );
    }
  }
  return headers;
}

function withoutSlash(url: string): string {
  return url.endsWith('/') ? url.slice(0, -1) : url;
}

/** A password may be in it. */
function withoutSecrets(url: string): string {
  return URL.canParse(url) ? new URL(url).host : 'no address';
}
