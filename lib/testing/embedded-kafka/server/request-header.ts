import type { WireReader } from '../wire/wire-reader.js';

/** What every request begins with, in header versions 1 and 2 alike. */
export interface RequestHeader {
  readonly apiKey: number;
  readonly apiVersion: number;
  /** Chosen by the client, repeated in the answer. */
  readonly correlationId: number;
  readonly clientId: string | null;
}

export function readRequestHeader(reader: WireReader): RequestHeader {
  return {
    apiKey: reader.int16(),
    apiVersion: reader.int16(),
    correlationId: reader.int32(),
    clientId: reader.nullableString(),
  };
}
