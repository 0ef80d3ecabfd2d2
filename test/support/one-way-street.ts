import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

import { onCleanup } from './cleanup.js';

/**
 * A way to a server on which connections can die without a word, as behind a router that has forgotten them:
 * what is sent on them is swallowed, and nobody is told. New ones pass.
 */
export class OneWayStreet {
  readonly #pairs: (readonly [Socket, Socket])[] = [];

  private constructor(
    private readonly server: Server,
    target: number,
  ) {
    server.on('connection', (client) => {
      const upstream = connect({ host: '127.0.0.1', port: target });
      for (const socket of [client, upstream]) socket.on('error', () => undefined);
      client.pipe(upstream);
      upstream.pipe(client);
      this.#pairs.push([client, upstream]);
    });
    onCleanup(() => {
      for (const socket of this.#pairs.flat()) socket.destroy();
      server.close();
    });
  }

  static async open(target: number): Promise<OneWayStreet> {
    const server = createServer();
    await once(server.listen(0, '127.0.0.1'), 'listening');
    return new OneWayStreet(server, target);
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  /** Made so far. */
  get connections(): number {
    return this.#pairs.length;
  }

  swallowWhatIsConnected(): void {
    for (const [client, upstream] of this.#pairs) {
      client.unpipe(upstream);
      upstream.unpipe(client);
      for (const socket of [client, upstream]) socket.resume();
    }
  }
}
