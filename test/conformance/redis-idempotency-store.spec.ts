import { setTimeout as wait } from 'node:timers/promises';
import { beforeAll, describe, it } from '@jest/globals';
import { Cluster, type Redis } from 'ioredis';

import { RedisIdempotencyStore } from '../../lib/redis/index.js';
import { idempotencyStoreConformance } from '../../lib/testing/index.js';
import { onCleanup } from '../support/cleanup.js';
import { describeWithCommand } from '../support/describe-with-command.js';
import { redisClient, startRedis, startRedisCluster } from '../support/real-redis.js';

/** Long enough for a call on a busy machine. */
const UNIT_MS = 150;

describeWithCommand(['redis-server', 'redis-cli'], 'RedisIdempotencyStore', () => {
  describe('keeps the promises of an idempotency store on one Redis', () => {
    let client: Redis;
    beforeAll(async () => {
      client = redisClient(await startRedis());
    });
    itConforms(() => client);
  });

  describe('keeps the promises of an idempotency store on a cluster', () => {
    let client: Cluster;
    beforeAll(async () => {
      const servers = await startRedisCluster();
      client = new Cluster(servers.map(({ address }) => address));
      onCleanup(() => {
        client.disconnect();
      });
    });
    itConforms(() => client);
  });
});

function itConforms(client: () => Redis | Cluster): void {
  const cases = idempotencyStoreConformance({
    unitMs: UNIT_MS,
    create: () => {
      const stores = Array.from(
        { length: 4 },
        () => new RedisIdempotencyStore({ client: client() }),
      );
      const [store, ...peers] = stores;
      if (store === undefined) throw new Error('no store');
      return Promise.resolve({
        store,
        peers,
        advance: (ms) => wait(ms),
        dispose: () => {
          for (const each of stores) each.close();
        },
      });
    },
  });
  it.each(cases)('$name', ({ run }) => run());
}
