import type { Cluster, Redis } from 'ioredis';

import { InvalidOptionsError, StoreUnavailableError } from '../../kafka-events.errors.js';
import type {
  ClaimAnswer,
  ClaimRequest,
  Completion,
  IdempotencyStore,
  Refresh,
  Release,
  Renewal,
  Start,
} from '../idempotency-store.js';
import { groupKeys } from './key-groups.js';
import { RedisConnection } from './redis-connection.js';
import {
  CLAIM,
  COMPLETE,
  REFRESH,
  RELEASE,
  RENEW,
  START,
  type RedisScript,
} from './redis-scripts.js';

export interface RedisIdempotencyStoreOptions {
  /**
   * An ioredis client, `Redis` (sentinels included) or `Cluster`. The store duplicates it: the
   * application's own connection is left alone, and may be lazy.
   */
  readonly client: Redis | Cluster;
  /** Begins the name of every key. Default `kafka-events:`. */
  readonly keyPrefix?: string;
  /** How long a call may wait for its answer, in milliseconds. Default 2,000. */
  readonly commandTimeoutMs?: number;
  /** True where Redis may evict keys, and so forget that an event was handled. Default false. */
  readonly allowEviction?: boolean;
}

const DEFAULT_PREFIX = 'kafka-events:';
const DEFAULT_COMMAND_TIMEOUT_MS = 2_000;

/**
 * The idempotency store of a service that runs as several instances: claims and marks live in Redis
 * (6.2 or later, or a cluster of it), and last as long as Redis keeps its word.
 *
 * What is asked together is one script call; on a cluster, one for each of up to 64 slots. A mark takes
 * about 190 bytes and its key.
 *
 *     new RedisIdempotencyStore({ client: new Redis('redis://…') })
 */
export class RedisIdempotencyStore implements IdempotencyStore {
  readonly name = 'redis';
  readonly inProcess = false;
  readonly #connection: RedisConnection;
  readonly #keyPrefix: string;
  readonly #isCluster: boolean;
  readonly #allowEviction: boolean;

  constructor({
    client,
    keyPrefix = DEFAULT_PREFIX,
    commandTimeoutMs = DEFAULT_COMMAND_TIMEOUT_MS,
    allowEviction = false,
  }: RedisIdempotencyStoreOptions) {
    this.#connection = new RedisConnection(client, commandTimeoutMs);
    this.#keyPrefix = keyPrefix;
    this.#isCluster = client.isCluster;
    this.#allowEviction = allowEviction;
  }

  /**
   * Connects, and checks that no server evicts keys.
   *
   * @throws StoreUnavailableError when Redis does not answer.
   * @throws InvalidOptionsError for a `maxmemory-policy` other than `noeviction`.
   */
  async verify(): Promise<void> {
    const infos = await this.#connection.memoryInfo();
    if (this.#allowEviction) return;
    const problems = [...infos].flatMap(([server, info]) => {
      const policy = /^maxmemory_policy:(\S+)/m.exec(info)?.[1] ?? 'unknown';
      if (policy === 'noeviction') return [];
      const problem =
        `Redis at ${server} has the maxmemory-policy ${policy} and would forget handled events: ` +
        'set it to noeviction, or accept repeated effects with allowEviction: true';
      return [{ option: 'idempotency.store', problem }];
    });
    if (problems.length > 0) throw new InvalidOptionsError(problems);
  }

  async claim(requests: readonly ClaimRequest[]): Promise<readonly ClaimAnswer[]> {
    const replies = await this.#run(CLAIM, requests, 4, (request) => {
      const { token, leaseMs, level, retentionMs } = request;
      return [token, leaseMs, level, retentionMs];
    });
    return replies.map(claimAnswer);
  }

  async complete(completions: readonly Completion[]): Promise<readonly boolean[]> {
    const replies = await this.#run(COMPLETE, completions, 1, (completion) => {
      const { token, state, level, retentionMs } = completion;
      return [token, state, level, retentionMs];
    });
    return replies.map(([ours]) => ours === 1);
  }

  async release(releases: readonly Release[]): Promise<void> {
    await this.#run(RELEASE, releases, 1, ({ token, attempts, retentionMs }) => [
      token,
      attempts,
      retentionMs,
    ]);
  }

  async renew(renewals: readonly Renewal[]): Promise<readonly boolean[]> {
    const replies = await this.#run(RENEW, renewals, 1, ({ token, leaseMs }) => [token, leaseMs]);
    return replies.map(([ours]) => ours === 1);
  }

  async start(starts: readonly Start[]): Promise<readonly boolean[]> {
    const replies = await this.#run(START, starts, 1, ({ token, alone }) => [token, alone ? 2 : 1]);
    return replies.map(([ours]) => ours === 1);
  }

  async refresh(refreshes: readonly Refresh[]): Promise<void> {
    await this.#run(REFRESH, refreshes, 1, ({ retentionMs }) => [retentionMs]);
  }

  close(): void {
    this.#connection.close();
  }

  /** Runs a script over all keys; answers `width` numbers for each request, in order. */
  async #run<Request extends { readonly key: string }>(
    script: RedisScript,
    requests: readonly Request[],
    width: number,
    argsOf: (request: Request) => (string | number)[],
  ): Promise<number[][]> {
    const answers: number[][] = [];
    const groups = groupKeys(requests, this.#keyPrefix, this.#isCluster);
    const calls = groups.map(async ({ keys, requests: asked, places }) => {
      const reply = await this.#connection.run(script, keys, asked.flatMap(argsOf));
      const numbers = numbersIn(reply, keys.length * width);
      places.forEach((place, i) => {
        answers[place] = numbers.slice(i * width, (i + 1) * width);
      });
    });
    await Promise.all(calls);
    return answers;
  }
}

const CLOSED = ['done', 'parked', 'dead'] as const;

function claimAnswer([
  code,
  figure = 0,
  crashes = -1,
  crashesAlone = -1,
]: readonly number[]): ClaimAnswer {
  if (code === 0) {
    const claimed = { status: 'claimed', attempts: figure } as const;
    return crashes < 0 ? claimed : { ...claimed, suspicion: { crashes, crashesAlone } };
  }
  const status = CLOSED[(code ?? 0) - 2];
  return status === undefined ? { status: 'in-progress', leaseMs: figure } : { status };
}

function numbersIn(reply: unknown, count: number): readonly number[] {
  if (Array.isArray(reply) && reply.length === count && reply.every(isNumber)) return reply;
  throw new StoreUnavailableError(`Redis gave ${String(count)} claims an answer we do not know`);
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number';
}
