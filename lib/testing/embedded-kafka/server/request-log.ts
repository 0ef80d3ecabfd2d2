import type { RequestName, RequestOf } from '../requests/request-table.js';

const MAX_ENTRIES = 10_000;
/** Requests keep the bytes they arrived in: records, mostly. */
const MAX_BYTES = 16 * 1024 * 1024;

/** One request as a broker received it; `api` tells the type of `request`. */
export type LoggedRequest = {
  [Api in RequestName]: {
    readonly api: Api;
    readonly version: number;
    readonly nodeId: number;
    readonly listener: string;
    readonly clientId: string | null;
    readonly request: RequestOf<Api>;
  };
}[RequestName];

export type LoggedRequestOf<Name extends RequestName> = Extract<LoggedRequest, { api: Name }>;

interface Entry {
  readonly logged: LoggedRequest;
  readonly bytes: number;
}

/** The last requests of all brokers, the oldest first; older ones are forgotten. */
export class RequestLog {
  #entries: Entry[] = [];
  #bytes = 0;

  get all(): readonly LoggedRequest[] {
    return this.#entries.map(({ logged }) => logged);
  }

  of<Name extends RequestName>(name: Name): readonly LoggedRequestOf<Name>[] {
    return this.all.filter((logged): logged is LoggedRequestOf<Name> => logged.api === name);
  }

  /** `request` is what the request named `api` decodes to; `bytes` is what keeping it costs. */
  add(received: Omit<LoggedRequest, 'request'> & { request: unknown }, bytes: number): void {
    this.#entries.push({ logged: received as LoggedRequest, bytes });
    this.#bytes += bytes;
    if (this.#entries.length > MAX_ENTRIES || this.#bytes > MAX_BYTES) this.#forgetOldest();
  }

  clear(): void {
    this.#entries = [];
    this.#bytes = 0;
  }

  /** Half of all at once, so that a log that is full costs little per request. */
  #forgetOldest(): void {
    this.#entries = this.#entries.slice(Math.ceil(this.#entries.length / 2));
    this.#bytes = this.#entries.reduce((sum, { bytes }) => sum + bytes, 0);
  }
}
