import { setTimeout as sleep } from 'node:timers/promises';
import type { BrokerRequest, RequestCall } from '../broker-request.js';
import type { Verdict } from '../faults/fault-control.js';
import type { Faults } from '../faults/faults.js';
import {
  REQUESTS,
  requestByKey,
  type NamedRequest,
  type RequestName,
} from '../requests/request-table.js';
import { errorCodeOf, KafkaErrorCode, KafkaProtocolError } from '../wire/kafka-error.js';
import { MalformedRequestError, WireReader } from '../wire/wire-reader.js';
import { WireWriter } from '../wire/wire-writer.js';
import { warnOf } from '../warn-of.js';
import type { Reply } from './connection.js';
import { readRequestHeader, type RequestHeader } from './request-header.js';
import type { RequestLog } from './request-log.js';

/** What the dispatcher is told of a request's connection; the rest is in the request's header. */
export type Client = Omit<RequestCall, 'clientId' | 'apiVersion'>;

/** A client may say these before it has proven who it is. */
const BEFORE_AUTHENTICATION: ReadonlySet<RequestName> = new Set([
  'ApiVersions',
  'SaslHandshake',
  'SaslAuthenticate',
] as const);

const SILENCE: Reply = { bytes: [], thenClose: false };
const HANG_UP: Reply = { bytes: [], thenClose: true };

/** Takes a request through its stations: header, decoding, log, faults, handler, answer. */
export class RequestDispatcher {
  constructor(
    private readonly faults: Faults,
    private readonly log: RequestLog,
  ) {}

  /** @throws MalformedRequestError for what has no answer: the connection is to be closed. */
  async reply(frame: Buffer, client: Client): Promise<Reply> {
    const reader = new WireReader(frame);
    const header = readRequestHeader(reader);
    const named = requestByKey(header.apiKey);
    if (named === undefined) throw new MalformedRequestError(`api key ${String(header.apiKey)}`);
    const { name, request } = named;
    const { apiVersion, clientId } = header;
    if (apiVersion < request.minVersion || apiVersion > request.maxVersion) {
      return refuseVersion(name, header);
    }
    if (!client.session.authenticated && !BEFORE_AUTHENTICATION.has(name)) {
      throw new MalformedRequestError(`${name} before authentication`);
    }
    const decoded = request.read(reader, apiVersion);
    const { nodeId, listener, session } = client;
    const received = { api: name, version: apiVersion, nodeId, listener, clientId };
    this.log.add({ ...received, request: decoded }, frame.length);
    const verdict = await this.#judge(named, decoded, { ...client, apiVersion, clientId });
    const reply = carriedOut(request, decoded, verdict, header);
    return session.rejected ? { ...reply, thenClose: true } : reply;
  }

  /** What the faults say, or else what the handler answers. */
  async #judge(
    { name, request }: NamedRequest,
    decoded: unknown,
    call: RequestCall,
  ): Promise<Verdict<unknown>> {
    const handle = (asked: unknown) => orRefusal(request, asked, () => request.handle(asked, call));
    if (this.faults.has(name)) {
      const { nodeId, clientId } = call;
      const verdict = await this.faults.judge(name, { request: decoded, nodeId, clientId, handle });
      if (verdict.kind === 'delay') await delayed(verdict.ms, call.signal);
      else if (verdict.kind !== 'pass') return verdict;
    }
    return { kind: 'answer', response: await handle(decoded) };
  }
}

/** A handler that throws has refused everything; what is not of the protocol is our own mistake. */
async function orRefusal(
  request: BrokerRequest<unknown, unknown>,
  asked: unknown,
  handle: () => unknown,
): Promise<unknown> {
  try {
    return await handle();
  } catch (error) {
    if (error instanceof MalformedRequestError) throw error;
    if (!(error instanceof KafkaProtocolError)) warnOf(error);
    return request.refuse(asked, errorCodeOf(error));
  }
}

function carriedOut(
  request: BrokerRequest<unknown, unknown>,
  asked: unknown,
  verdict: Verdict<unknown>,
  header: RequestHeader,
): Reply {
  switch (verdict.kind) {
    case 'fail': {
      const refusal = request.refuse(asked, KafkaErrorCode[verdict.error]);
      return encoded(request, refusal, header, header.apiVersion);
    }
    case 'answer':
      return verdict.response === null
        ? SILENCE
        : encoded(request, verdict.response, header, header.apiVersion);
    case 'close':
      return HANG_UP;
    default:
      return SILENCE;
  }
}

/**
 * A client asks for our versions in the newest version that it knows; the answer in version 0 is
 * what every client can read (KIP-511). Any other unknown version has no answer.
 */
function refuseVersion(name: RequestName, header: RequestHeader): Reply {
  if (name !== 'ApiVersions') {
    throw new MalformedRequestError(`${name} in version ${String(header.apiVersion)}`);
  }
  const { ApiVersions: request } = REQUESTS;
  const refusal = request.refuse({}, KafkaErrorCode.UNSUPPORTED_VERSION);
  return encoded(request, refusal, header, 0);
}

function encoded<Response>(
  request: Pick<BrokerRequest<unknown, Response>, 'write'>,
  response: Response,
  { correlationId }: RequestHeader,
  version: number,
): Reply {
  const body = new WireWriter().int32(correlationId);
  request.write(body, response, version);
  const length = Buffer.allocUnsafe(4);
  length.writeInt32BE(body.length);
  return { bytes: [length, ...body.toBuffers()], thenClose: false };
}

/** Until that time has passed or the client is gone. */
async function delayed(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => undefined);
}
