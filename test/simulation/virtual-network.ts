import { EventEmitter } from 'node:events';
import type { VirtualTime } from './virtual-time.js';

const LOOPBACK = '127.0.0.1';
const FIRST_PORT = 10_000;
/** How long bytes travel, in milliseconds: between the first number and the sum of both. */
const TRAVEL = { least: 0.05, spread: 0.5 };

/**
 * Connections between sockets of one process, over virtual time. Every port belongs to the link of
 * its name, and a link can be frozen, reset, or die with the process behind it.
 */
export class VirtualNetwork {
  readonly #servers = new Map<number, VirtualServer>();
  readonly #links = new Map<number, Link>();
  #nextPort = FIRST_PORT;

  constructor(
    readonly time: VirtualTime,
    private readonly random: () => number,
  ) {}

  createServer(onConnection: (socket: VirtualSocket) => void): VirtualServer {
    return new VirtualServer(this, onConnection);
  }

  /** What `net.connect` does. */
  connect(port: number, onConnect: () => void): VirtualSocket {
    const link = this.#linkOf(port);
    const client = new VirtualSocket(link, this);
    client.once('connect', onConnect);
    link.carry(() => {
      const server = this.#servers.get(port);
      if (client.destroyed) return;
      if (server === undefined) {
        client.destroy(Object.assign(new Error('refused'), { code: 'ECONNREFUSED' }));
        return;
      }
      const accepted = new VirtualSocket(link, this);
      accepted.peer = client;
      client.peer = accepted;
      link.sockets.add(client);
      server.emit('connection', accepted);
      client.emit('connect');
    });
    return client;
  }

  /** Puts these ports on a link of their own, as the way from one process to all brokers. */
  link(ports: readonly number[]): Link {
    const link = new Link(this);
    for (const port of ports) this.#links.set(port, link);
    return link;
  }

  /** @internal */
  listen(server: VirtualServer, wanted: number): number {
    const port = wanted === 0 ? this.#nextPort++ : wanted;
    this.#servers.set(port, server);
    return port;
  }

  /** @internal */
  close(port: number): void {
    this.#servers.delete(port);
  }

  /** @internal */
  arrival(): number {
    return this.time.exactly() + TRAVEL.least + TRAVEL.spread * this.random();
  }

  #linkOf(port: number): Link {
    const known = this.#links.get(port) ?? new Link(this);
    this.#links.set(port, known);
    return known;
  }
}

/** The way between one process and the brokers: everything it carries arrives in order, per socket. */
export class Link {
  readonly sockets = new Set<VirtualSocket>();
  #state: 'up' | 'frozen' | 'dead' = 'up';
  #held: (() => void)[] = [];

  constructor(private readonly network: VirtualNetwork) {}

  /** @internal */
  carry(deliver: () => void, at = this.network.arrival()): void {
    this.network.time.at(at, () => {
      if (this.#state === 'up') deliver();
      else if (this.#state === 'frozen') this.#held.push(deliver);
    });
  }

  /** Nothing arrives on either side, as with a cable pulled; nobody is told. */
  freeze(): void {
    if (this.#state === 'up') this.#state = 'frozen';
  }

  thaw(): void {
    if (this.#state !== 'frozen') return;
    this.#state = 'up';
    for (const deliver of this.#held.splice(0)) deliver();
  }

  /** Ends all connections with an error, on both sides. */
  reset(): void {
    for (const socket of [...this.sockets]) {
      const error = Object.assign(new Error('reset'), { code: 'ECONNRESET' });
      socket.peer?.destroy(error);
      socket.destroy(error);
    }
  }

  /**
   * The process behind it is gone: it hears and sends no more, the brokers see its connections end.
   * What had left it before may still arrive.
   */
  die(): void {
    const sockets = [...this.sockets];
    for (const socket of sockets) socket.vanish();
    // With the cable pulled the brokers hear nothing of it either.
    if (this.#state === 'frozen') this.#state = 'dead';
    if (this.#state === 'dead') return;
    this.network.time.at(this.network.arrival() + TRAVEL.spread, () => {
      this.#state = 'dead';
      for (const { peer } of sockets) peer?.hangUp();
    });
  }
}

/** As much of a `net.Socket` as kafkajs and the embedded Kafka use. */
export class VirtualSocket extends EventEmitter {
  readonly remoteAddress = LOOPBACK;
  readonly writableNeedDrain = false;
  peer: VirtualSocket | null = null;
  destroyed = false;
  #ended = false;
  #paused = false;
  #gone = false;
  readonly #unread: Buffer[] = [];
  #corked: Buffer[] | null = null;
  #lastArrival = 0;

  constructor(
    private readonly link: Link,
    private readonly network: VirtualNetwork,
  ) {
    super();
  }

  write(data: Buffer): boolean {
    // A copy, as the kernel makes one: what is sent may be written over afterwards.
    const bytes = Buffer.from(data);
    if (this.#corked !== null) this.#corked.push(bytes);
    else this.#send(bytes);
    return true;
  }
  cork(): void {
    this.#corked ??= [];
  }
  uncork(): void {
    const corked = this.#corked;
    this.#corked = null;
    if (corked !== null && corked.length > 0) this.#send(Buffer.concat(corked));
  }
  pause(): this {
    this.#paused = true;
    return this;
  }
  resume(): this {
    this.#paused = false;
    for (let data = this.#unread.shift(); data !== undefined; data = this.#unread.shift()) {
      this.emit('data', data);
      if (this.#isPaused()) break;
    }
    return this;
  }
  end(): this {
    this.#sendEnd();
    return this;
  }
  destroySoon(): void {
    this.destroy();
  }
  destroy(error?: Error): this {
    if (this.destroyed) return this;
    this.#sendEnd();
    this.#close(error);
    return this;
  }
  setNoDelay(): this {
    return this;
  }
  setKeepAlive(): this {
    return this;
  }
  unref(): this {
    return this;
  }

  /** @internal Its process died, and says nothing of it to the other side. */
  vanish(): void {
    this.#gone = true;
    this.#close(new Error('the process is gone'));
  }

  /** @internal The other side is gone. */
  hangUp(): void {
    if (this.destroyed) return;
    this.emit('end');
    this.#ended = true;
    this.#close();
  }

  #send(data: Buffer): void {
    if (this.destroyed || this.#ended) return;
    this.#carry((peer) => {
      peer.#receive(data);
    });
  }

  #sendEnd(): void {
    if (this.#ended || this.#gone) return;
    this.#ended = true;
    this.#carry((peer) => {
      peer.#receiveEnd();
    });
  }

  #carry(deliver: (peer: VirtualSocket) => void): void {
    const { peer, network } = this;
    if (peer === null) return;
    const arrival = Math.max(network.arrival(), this.#lastArrival);
    this.#lastArrival = arrival;
    this.link.carry(() => {
      if (!peer.destroyed) deliver(peer);
    }, arrival);
  }

  #receive(data: Buffer): void {
    if (this.#paused) this.#unread.push(data);
    else this.emit('data', data);
  }

  #receiveEnd(): void {
    this.emit('end');
    this.#sendEnd();
    this.#close();
  }

  #close(error?: Error): void {
    if (this.destroyed) return;
    this.destroyed = true;
    this.link.sockets.delete(this);
    process.nextTick(() => {
      if (error !== undefined) this.emit('error', error);
      this.emit('close');
    });
  }

  #isPaused(): boolean {
    return this.#paused;
  }
}

/** As much of a `net.Server` as the embedded Kafka uses. */
export class VirtualServer extends EventEmitter {
  #port = 0;

  constructor(
    private readonly network: VirtualNetwork,
    onConnection: (socket: VirtualSocket) => void,
  ) {
    super();
    this.on('connection', onConnection);
  }

  listen({ port }: { readonly port: number }, onListening: () => void): this {
    this.#port = this.network.listen(this, port);
    process.nextTick(onListening);
    return this;
  }
  address(): { readonly port: number } {
    return { port: this.#port };
  }
  close(onClosed: () => void): this {
    this.network.close(this.#port);
    process.nextTick(onClosed);
    return this;
  }
  unref(): this {
    return this;
  }
}
