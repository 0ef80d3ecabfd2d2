import { once } from 'node:events';
import {
  createServer,
  type IncomingHttpHeaders,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';

import { onCleanup } from './cleanup.js';

export interface LegacyRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

type Answer = (request: LegacyRequest, response: ServerResponse) => void;

/** A system of old that speaks HTTP, and answers as a test says. */
export class LegacyServer {
  readonly requests: LegacyRequest[] = [];
  #answer: Answer = json(200, {});

  private constructor(private readonly server: Server) {
    server.on('request', (incoming, response) => {
      const pieces: Buffer[] = [];
      incoming.on('data', (piece: Buffer) => pieces.push(piece));
      incoming.on('end', () => {
        const { method = '', url = '', headers } = incoming;
        const request = { method, url, headers, body: Buffer.concat(pieces).toString() };
        this.requests.push(request);
        this.#answer(request, response);
      });
    });
  }

  static async start(): Promise<LegacyServer> {
    const server = createServer();
    await once(server.listen(0, '127.0.0.1'), 'listening');
    onCleanup(() => {
      server.closeAllConnections();
      server.close();
    });
    return new LegacyServer(server);
  }

  get url(): string {
    return `http://127.0.0.1:${String((this.server.address() as AddressInfo).port)}`;
  }

  answer(answer: Answer): void {
    this.#answer = answer;
  }
}

export function json(status: number, body: unknown): Answer {
  return (_, response) => {
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(JSON.stringify(body));
  };
}
