import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

export interface ProxyRoute {
  /** Where to listen; 0 for any free port. @default 0 */
  readonly port?: number;
  /** The port that connections are passed on to. */
  readonly target: number;
}

const HOST = '127.0.0.1';

/**
 * A link between clients and a server on the loopback, to be cut, frozen and slowed down. It knows
 * bytes and connections only.
 *
 *     passing ──cut──▶ cut ──restore──▶ passing        connections are reset, new ones as well
 *     passing ──freeze──▶ frozen ──restore──▶ passing  connections stay open, nothing gets through
 *
 * What a frozen link held back arrives when it is restored, as after a partition of a network.
 */
export class TcpProxy {
  #delayMs = 0;
  #isCut = false;
  #thaw: PromiseWithResolversLike | null = null;
  readonly #sockets = new Set<Socket>();

  private constructor(
    private readonly server: Server,
    private readonly target: number,
  ) {
    server.on('connection', (client) => {
      this.#accept(client);
    });
  }

  static async listen({ port = 0, target }: ProxyRoute): Promise<TcpProxy> {
    // A side that ends may still be owed an answer.
    const server = createServer({ allowHalfOpen: true });
    await once(server.listen(port, HOST), 'listening');
    return new TcpProxy(server, target);
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  get connections(): number {
    return this.#sockets.size / 2;
  }

  /** Resets every connection, and new ones as soon as they are made. */
  cut(): void {
    this.#isCut = true;
    this.#reset();
  }

  /** Keeps every connection, and accepts new ones, but lets nothing pass. */
  freeze(): void {
    this.#thaw ??= withResolvers();
  }

  /** Every piece of data takes so long from now on: latency, and a narrow line at once. */
  delay(ms: number): void {
    this.#delayMs = ms;
  }

  /** Ends `cut`, `freeze` and `delay`. */
  restore(): void {
    this.#isCut = false;
    this.#delayMs = 0;
    this.#thaw?.resolve();
    this.#thaw = null;
  }

  async close(): Promise<void> {
    this.#reset();
    this.restore();
    if (this.server.listening) await once(this.server.close(), 'close');
  }

  #accept(client: Socket): void {
    if (this.#isCut) {
      client.on('error', () => undefined);
      client.resetAndDestroy();
      return;
    }
    const server = connect({ host: HOST, port: this.target, allowHalfOpen: true });
    for (const [side, other] of [
      [client, server],
      [server, client],
    ] as const) {
      side.setNoDelay(true);
      this.#sockets.add(side);
      // What ends one side in disorder ends the other.
      side.on('error', () => other.destroy());
      side.on('close', () => {
        this.#sockets.delete(side);
        if (side.errored !== null || side.readableAborted) other.destroy();
      });
      void this.#pump(side, other);
    }
  }

  async #pump(from: Socket, to: Socket): Promise<void> {
    try {
      for await (const piece of from.iterator({ destroyOnReturn: false })) {
        if (this.#delayMs > 0) await sleep(this.#delayMs);
        await this.#thaw?.promise;
        if (to.destroyed) return;
        if (!to.write(piece as Buffer)) await once(to, 'drain');
      }
      await this.#thaw?.promise;
      to.end();
    } catch {
      // A connection that breaks is nothing to report; its other side is ended by its `error`.
      to.destroy();
    }
  }

  #reset(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }
}

interface PromiseWithResolversLike {
  readonly promise: Promise<void>;
  readonly resolve: () => void;
}

function withResolvers(): PromiseWithResolversLike {
  let resolve = (): void => undefined;
  const promise = new Promise<void>((done) => (resolve = done));
  return { promise, resolve };
}
