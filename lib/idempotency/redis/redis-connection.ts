import { once } from 'node:events';
import type { Cluster, Redis } from 'ioredis';

import { StoreUnavailableError, toError } from '../../kafka-events.errors.js';
import type { RedisScript } from './redis-scripts.js';

const LONGEST_RECONNECT_DELAY_MS = 2_000;

/**
 * A connection of the store's own, with the address and credentials of the application's client.
 *
 * It fails at once what it cannot send, and sends nothing a second time: whoever waits for the answer
 * knows better what to do. While Redis is away it tries to come back for as long as it takes.
 */
export class RedisConnection {
  readonly #client: Redis | Cluster;
  #opening: Promise<void> | null = null;
  /** Why it is not connected, which the errors of commands do not tell. */
  #problem: Error | null = null;

  constructor(client: Redis | Cluster, commandTimeoutMs: number) {
    this.#client = dedicated(client, commandTimeoutMs);
    this.#client.on('error', (error: Error) => {
      this.#problem = error;
    });
    this.#client.on('ready', () => {
      this.#problem = null;
    });
  }

  /**
   * Settles at the first connection.
   *
   * @throws StoreUnavailableError when that fails; it goes on trying.
   */
  async open(): Promise<void> {
    this.#opening ??= this.#connect();
    try {
      await this.#opening;
    } catch (error) {
      // Later calls find it connected, or are told why not by their command.
      this.#opening = Promise.resolve();
      throw this.#unavailable(error);
    }
  }

  /** Runs a script, atomic for each of its keys. @throws StoreUnavailableError */
  async run(script: RedisScript, keys: string[], args: (string | number)[]): Promise<unknown> {
    await this.open();
    try {
      return await this.#client.evalsha(script.sha, keys.length, ...keys, ...args);
    } catch (error) {
      if (!isUnknownScript(error)) throw this.#unavailable(error);
    }
    try {
      return await this.#client.eval(script.lua, keys.length, ...keys, ...args);
    } catch (error) {
      throw this.#unavailable(error);
    }
  }

  /** What each server that keeps keys says of its memory, by `host:port`. @throws StoreUnavailableError */
  async memoryInfo(): Promise<ReadonlyMap<string, string>> {
    await this.open();
    const servers = 'nodes' in this.#client ? this.#client.nodes('master') : [this.#client];
    try {
      const infos = servers.map(async (server) => {
        const { host = '', port = '' } = server.options;
        return [`${host}:${String(port)}`, await server.info('memory')] as const;
      });
      return new Map(await Promise.all(infos));
    } catch (error) {
      throw this.#unavailable(error);
    }
  }

  close(): void {
    this.#client.disconnect();
  }

  /** By events: the promise of a cluster's `connect` never settles where its first check fails. */
  async #connect(): Promise<void> {
    const settled = new AbortController();
    const { signal } = settled;
    const ready = once(this.#client, 'ready', { signal });
    const closed = once(this.#client, 'close', { signal }).then(() => {
      throw new Error('the connection was closed');
    });
    this.#client.connect().catch(() => undefined);
    try {
      await Promise.race([ready, closed]);
    } finally {
      settled.abort();
      await Promise.allSettled([ready, closed]);
    }
  }

  #unavailable(thrown: unknown): StoreUnavailableError {
    const cause = this.#problem ?? toError(thrown);
    const message = `Redis does not answer: ${cause.message}`;
    return new StoreUnavailableError(message, { cause: withoutCommand(cause) });
  }
}

function dedicated(client: Redis | Cluster, commandTimeout: number): Redis | Cluster {
  const options = {
    lazyConnect: true,
    commandTimeout,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    // A master that became a replica refuses writes for ever: look for the new one.
    reconnectOnError: (error: Error) => error.message.startsWith('READONLY'),
  };
  const retryStrategy = (times: number) => Math.min(times * 100, LONGEST_RECONNECT_DELAY_MS);
  if ('nodes' in client) {
    const { redisOptions = {} } = client.options;
    return client.duplicate([], {
      lazyConnect: true,
      enableOfflineQueue: false,
      clusterRetryStrategy: retryStrategy,
      // How replies are shaped is the store's own affair.
      redisOptions: { ...redisOptions, ...options, replyMapping: 'legacy' },
    });
  }
  return client.duplicate({ ...options, enableOfflineQueue: false, retryStrategy });
}

function isUnknownScript(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('NOSCRIPT');
}

/** ioredis hangs the command on its errors: keys by the hundred, and for a refused login the password. */
function withoutCommand({ name, message, stack }: Error): Error {
  return Object.assign(new Error(message), { name, stack });
}
