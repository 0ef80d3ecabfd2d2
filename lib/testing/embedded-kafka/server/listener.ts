import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:tls';
import type { Endpoint } from '../state/cluster.js';
import { Connection, type Reply } from './connection.js';
import type { ListenerSettings } from './listener-settings.js';

const LOOPBACK = '127.0.0.1';

export interface ListenerOptions {
  readonly settings: ListenerSettings;
  readonly maxRequestBytes: number;
  /** Asked once for each connection: who answers its requests. */
  connected(socket: Socket): (frame: Buffer, signal: AbortSignal) => Promise<Reply>;
}

/** One port on loopback, and the connections that came through it. */
export class Listener {
  readonly #sockets = new Set<Socket>();
  #server: Server | null = null;

  constructor(private readonly options: ListenerOptions) {}

  /** Listens on that port, or on a free one for 0. */
  async open(port: number): Promise<Endpoint> {
    const server = this.#createServer();
    this.#server = server;
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ host: LOOPBACK, port }, () => {
        server.off('error', reject);
        // A client that could not be accepted is not the broker's end.
        server.on('error', () => undefined);
        resolve();
      });
    });
    return { host: LOOPBACK, port: portOf(server.address()) };
  }

  /** Lets the process end while the port is open. */
  unref(): void {
    this.#server?.unref();
  }

  /** Closes the port and all connections; settles when they are gone. */
  async close(): Promise<void> {
    const server = this.#server;
    this.#server = null;
    if (server === null) return;
    const closed = new Promise<void>((resolve) => {
      server.close(() => {
        resolve();
      });
    });
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #createServer(): Server {
    const server = this.#createServerFor((socket) => {
      const reply = this.options.connected(socket);
      new Connection(socket, { maxRequestBytes: this.options.maxRequestBytes, reply });
    });
    // With TLS this is the bare socket, from before the handshake: nobody can hang in there.
    server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
    return server;
  }

  #createServerFor(accept: (socket: Socket) => void): Server {
    const { name, tls } = this.options.settings;
    if (tls === null) return createServer(accept);
    const server = tlsServer(name, { key: tls.key, cert: tls.cert }, accept);
    // A client that speaks no TLS is hung up on.
    server.on('tlsClientError', (_error, socket) => {
      socket.destroy();
    });
    return server;
  }
}

function portOf(address: AddressInfo | string | null): number {
  if (address === null || typeof address === 'string') throw new Error('the port is not open');
  return address.port;
}

function tlsServer(
  name: string,
  pem: { readonly key: string; readonly cert: string },
  accept: (socket: Socket) => void,
): TlsServer {
  try {
    return createTlsServer(pem, accept);
  } catch (cause) {
    throw new RangeError(`listeners: ${name} has a tls.key or tls.cert that is no PEM`, { cause });
  }
}
