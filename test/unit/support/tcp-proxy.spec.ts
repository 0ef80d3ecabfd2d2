import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { beforeEach, describe, expect, it } from '@jest/globals';
import { onCleanup } from '../../support/cleanup.js';
import { eventually } from '../../support/eventually.js';
import { TcpProxy } from '../../support/tcp-proxy.js';

describe('TcpProxy', () => {
  let proxy: TcpProxy;

  beforeEach(async () => {
    proxy = await TcpProxy.listen({ target: await startEcho() });
    onCleanup(() => proxy.close());
  });

  it('passes bytes both ways, and the end of a side', async () => {
    const client = await Client.connect(proxy);
    client.write('hello');
    await client.receives('hello');
    client.socket.end();
    await once(client.socket, 'end');
    await eventually(() => proxy.connections === 0);
  });

  it('cuts what is connected and what connects, until it is restored', async () => {
    const client = await Client.connect(proxy);
    client.write('hello');
    await client.receives('hello');

    proxy.cut();
    await client.ends();
    const refused = new Client(connect(proxy.port, '127.0.0.1'));
    await refused.ends();

    proxy.restore();
    const again = await Client.connect(proxy);
    again.write('again');
    await again.receives('again');
  });

  it('freezes: connections stay, nothing passes, all of it arrives when restored', async () => {
    const client = await Client.connect(proxy);
    client.write('one ');
    await client.receives('one ');

    proxy.freeze();
    client.write('two ');
    const newcomer = await Client.connect(proxy);
    newcomer.write('three');
    const other = await startWitness();
    // Another link, asked later, has answered: so would this one have.
    await other.roundTrip();
    expect(client.received).toBe('one ');
    expect(newcomer.received).toBe('');
    expect(client.ended).toBe(false);

    proxy.restore();
    await client.receives('one two ');
    await newcomer.receives('three');
  });

  it('delays each piece, until it is restored', async () => {
    const client = await Client.connect(proxy);
    proxy.delay(100);
    const startedAt = performance.now();
    client.write('slow');
    await client.receives('slow');
    // Once there, once back; timers may be a millisecond early.
    expect(performance.now() - startedAt).toBeGreaterThan(195);

    proxy.delay(60_000);
    proxy.restore();
    client.write(' fast');
    await client.receives('slow fast');
  });

  it('closes with connections open, also while it is frozen', async () => {
    const client = await Client.connect(proxy);
    proxy.freeze();
    client.write('lost');
    await proxy.close();
    await client.ends();
    expect(proxy.connections).toBe(0);
  });

  it('ends the client when the server has gone', async () => {
    const server = createServer((socket) => socket.resetAndDestroy());
    await once(server.listen(0, '127.0.0.1'), 'listening');
    onCleanup(() => server.close());
    const link = await TcpProxy.listen({ target: (server.address() as AddressInfo).port });
    onCleanup(() => link.close());
    await (await Client.connect(link)).ends();
  });

  it('ends the client when nobody listens behind it', async () => {
    const server = createServer();
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const { port } = server.address() as AddressInfo;
    await once(server.close(), 'close');
    const link = await TcpProxy.listen({ target: port });
    onCleanup(() => link.close());
    await new Client(connect(link.port, '127.0.0.1')).ends();
  });
});

class Client {
  received = '';
  ended = false;

  constructor(readonly socket: Socket) {
    socket.on('data', (bytes) => (this.received += bytes.toString()));
    socket.on('error', () => undefined);
    socket.on('close', () => (this.ended = true));
    onCleanup(() => socket.destroy());
  }

  static async connect(proxy: TcpProxy): Promise<Client> {
    const socket = connect(proxy.port, '127.0.0.1');
    const client = new Client(socket);
    await once(socket, 'connect');
    return client;
  }

  write(text: string): void {
    this.socket.write(text);
  }

  async receives(text: string): Promise<void> {
    await eventually(() => this.received === text, { intervalMs: 5, message: `to read ${text}` });
  }

  async ends(): Promise<void> {
    await eventually(() => this.ended, { message: 'the end of the connection' });
  }
}

async function startEcho(): Promise<number> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => undefined);
    socket.pipe(socket);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  onCleanup(() => server.close());
  return (server.address() as AddressInfo).port;
}

/** A link like the one on trial, in working order. */
async function startWitness(): Promise<{ roundTrip: () => Promise<void> }> {
  const link = await TcpProxy.listen({ target: await startEcho() });
  onCleanup(() => link.close());
  const client = await Client.connect(link);
  return {
    roundTrip: async () => {
      client.write('ping');
      await client.receives('ping');
    },
  };
}
