import type { Socket } from 'node:net';
import { FrameSplitter } from './frame-splitter.js';

/** What goes back for one request. */
export interface Reply {
  /** Length included; empty where nothing is answered. */
  readonly bytes: readonly Buffer[];
  readonly thenClose: boolean;
}

export interface ConnectionOptions {
  readonly maxRequestBytes: number;
  /** A rejection closes the connection; `signal` is aborted when it has ended. */
  reply(frame: Buffer, signal: AbortSignal): Promise<Reply>;
}

/**
 * One client's connection: its requests are answered one at a time, in their order, as the protocol
 * promises. While one is at work the socket is read no further than the next, so that a client that
 * sends without end costs no memory.
 */
export class Connection {
  readonly #splitter: FrameSplitter;
  readonly #ended = new AbortController();
  readonly #waiting: Buffer[] = [];
  #working = false;

  constructor(
    private readonly socket: Socket,
    private readonly options: ConnectionOptions,
  ) {
    this.#splitter = new FrameSplitter(options.maxRequestBytes);
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => {
      this.#receive(chunk);
    });
    // What a client does to its own connection is no concern of the broker; 'close' follows.
    socket.on('error', () => undefined);
    socket.once('close', () => {
      this.#waiting.length = 0;
      this.#ended.abort();
    });
  }

  #receive(chunk: Buffer): void {
    try {
      this.#waiting.push(...this.#splitter.push(chunk));
    } catch {
      this.socket.destroy();
      return;
    }
    if (!this.#working) void this.#work();
    if (this.#waiting.length > 0) this.socket.pause();
  }

  async #work(): Promise<void> {
    this.#working = true;
    try {
      for (let frame = this.#waiting.shift(); frame; frame = this.#waiting.shift()) {
        const reply = await this.options.reply(frame, this.#ended.signal);
        this.#send(reply.bytes);
        if (reply.thenClose) this.#closeAfterSending();
        else if (this.socket.writableNeedDrain) await this.#drained();
        if (this.#waiting.length === 0 && !reply.thenClose) this.socket.resume();
      }
    } catch {
      this.socket.destroy();
    } finally {
      this.#working = false;
    }
  }

  #send(bytes: readonly Buffer[]): void {
    if (this.socket.destroyed) return;
    this.socket.cork();
    for (const buffer of bytes) this.socket.write(buffer);
    this.socket.uncork();
  }

  #closeAfterSending(): void {
    this.#waiting.length = 0;
    this.socket.pause();
    this.socket.destroySoon();
  }

  /** Until the client has read what it was sent: it gets no further answers before. */
  #drained(): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        this.socket.off('drain', done);
        this.socket.off('close', done);
        resolve();
      };
      this.socket.once('drain', done);
      this.socket.once('close', done);
    });
  }
}
