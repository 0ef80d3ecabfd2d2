import { createRequire, syncBuiltinESMExports } from 'node:module';
import { gzipSync, unzipSync } from 'node:zlib';
import { dateOf } from '../support/date-of.js';
import { seededRandom } from '../support/seeded-random.js';
import { VirtualNetwork, type Link } from './virtual-network.js';
import { VirtualTime, type RunEnd } from './virtual-time.js';

/** Any moment will do, as long as it is the same each time. */
const BEGIN = Date.UTC(2026, 0, 1);

/**
 * Node as the code under test sees it, in a process of its own: clock, timers, sockets, compression
 * and random numbers are ours, so that all that happens follows from a seed. Nothing else is
 * replaced, and nothing of the product knows.
 *
 * Install it before the product is imported.
 */
export class SimulatedNode {
  readonly time = new VirtualTime();
  #random: () => number = seededRandom(0);
  #network = new VirtualNetwork(this.time, () => this.#random());

  static install(): SimulatedNode {
    const node = new SimulatedNode();
    node.#installTime();
    node.#installNetwork();
    node.#installCompression();
    node.#installRandom();
    // Only then do ES modules see it that import these names.
    syncBuiltinESMExports();
    return node;
  }

  /** Begins anew: the past is forgotten, what comes depends on this number alone. */
  restart(seed: number): void {
    this.time.restart(BEGIN);
    this.#random = seededRandom(seed);
    this.#network = new VirtualNetwork(this.time, () => this.#random());
  }

  /** The way to these ports, from a process of its own. */
  link(ports: readonly number[]): Link {
    return this.#network.link(ports);
  }

  run(reached: () => boolean, limitMs: number): Promise<RunEnd> {
    return this.time.run(reached, limitMs);
  }

  #installTime(): void {
    const { time } = this;
    Object.assign(globalThis, {
      setTimeout: time.setTimeout,
      setInterval: time.setInterval,
      setImmediate: time.setImmediate,
      clearTimeout: time.clear,
      clearInterval: time.clear,
      clearImmediate: time.clear,
    });
    globalThis.Date = dateOf(() => time.now());
    performance.now = () => time.exactly() - BEGIN;
    Object.defineProperty(performance, 'timeOrigin', { value: BEGIN });
    replace('node:timers/promises', {
      setTimeout: (ms: number, value: unknown, { signal }: { signal?: AbortSignal } = {}) =>
        this.#sleep(ms, value, signal),
    });
  }

  #sleep(ms: number, value: unknown, signal: AbortSignal | undefined): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const timer = this.time.setTimeout(() => {
        resolve(value);
      }, ms);
      const abort = (): void => {
        this.time.clear(timer);
        reject(new Error('aborted'));
      };
      if (signal?.aborted === true) abort();
      signal?.addEventListener('abort', abort);
    });
  }

  #installNetwork(): void {
    replace('node:net', {
      connect: ({ port }: { port: number }, onConnect: () => void) =>
        this.#network.connect(port, onConnect),
      createServer: (onConnection: () => void) => this.#network.createServer(onConnection),
    });
  }

  // Node compresses in threads, which end in any order.
  #installCompression(): void {
    replace('node:zlib', {
      gzip: (data: Buffer, done: (error: null, zipped: Buffer) => void) => {
        done(null, gzipSync(data, { level: 1 }));
      },
      unzip: (data: Buffer, options: object, done: (error: null, unzipped: Buffer) => void) => {
        done(null, unzipSync(data, options));
      },
    });
  }

  #installRandom(): void {
    Math.random = () => this.#random();
    const digits = (): string => Math.floor(this.#random() * 2 ** 32).toString(16);
    replace('node:crypto', { randomUUID: () => `${digits()}-${digits()}` });
  }
}

function replace(builtin: string, members: object): void {
  Object.assign(createRequire(import.meta.url)(builtin) as object, members);
}
