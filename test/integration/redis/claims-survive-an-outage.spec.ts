import { inspect } from 'node:util';
import { expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { Payload } from '@nestjs/microservices';

import {
  event,
  EventHandler,
  EventPublisher,
  KafkaEventsHealth,
  KafkaEventsModule,
  StoreUnavailableError,
  type KafkaEventsModuleOptions,
  type KafkaEventsObserver,
  type SignalName,
} from '../../../lib/index.js';
import { RedisIdempotencyStore } from '../../../lib/redis/index.js';
import { onCleanup } from '../../support/cleanup.js';
import { describeWithCommand } from '../../support/describe-with-command.js';
import { startEmbeddedKafka } from '../../support/embedded-kafka.js';
import { committedToTheEnd, createEventTopic } from '../../support/event-topic.js';
import { eventually } from '../../support/eventually.js';
import { bootApp, quickOptions } from '../../support/nest-app.js';
import { redisClient, startRedis } from '../../support/real-redis.js';
import type { RedisServer } from '../../support/redis-server.js';
import { OrderCreated } from '../../support/shop-events.js';
import { uniqueName } from '../../support/unique-topic.js';

const PATIENCE_MS = 60_000;
const COMMAND_TIMEOUT_MS = 500;

describeWithCommand(['redis-server'], 'claims in Redis', () => {
  it.each<[string, (redis: RedisServer) => Promise<void> | void, (redis: RedisServer) => unknown]>([
    ['killed', (redis) => redis.shutDown('SIGKILL'), (redis) => redis.boot()],
    [
      'frozen',
      (redis) => {
        redis.pause();
      },
      (redis) => {
        redis.resume();
      },
    ],
  ])(
    'hold handlers while Redis is %s, and repeat nothing that was completed',
    async (_how, away, back) => {
      const redis = await startRedis();
      const shop = await openShop(redis, { onStoreError: 'pause' });
      const publishing = shop.publishWhile();
      await eventually(() => shop.effects.length > 50);

      await away(redis);
      await eventually(() => shop.count('storeFailed') > 0);
      // What was claimed before may still run; nothing is claimed any more.
      await eventually(() => shop.running === 0);
      const before = shop.effects.length;
      await shop.published(30);
      expect(shop.effects.length).toBe(before);
      expect(shop.count('handledWithoutDedup')).toBe(0);
      await back(redis);
      await eventually(() => shop.effects.length > before + 50);
      const orders = await publishing.stop();

      await shop.allCommitted();
      expect([...shop.effects].sort()).toEqual([...orders].sort());
      expect(shop.count('claimLost')).toBe(0);
    },
    PATIENCE_MS,
  );

  it(
    "go without saying with onStoreError 'process', and are counted",
    async () => {
      const redis = await startRedis();
      const shop = await openShop(redis, { onStoreError: 'process' });
      const publishing = shop.publishWhile();
      await eventually(() => shop.effects.length > 50);

      await redis.shutDown();
      await eventually(() => shop.count('handledWithoutDedup') > 50);
      await redis.boot();
      await eventually(
        async () => {
          const [handled, without] = [shop.count('handled'), shop.count('handledWithoutDedup')];
          await eventually(() => shop.count('handled') > handled + 50);
          return shop.count('handledWithoutDedup') === without;
        },
        { message: 'claims for all that is handled' },
      );
      const orders = await publishing.stop();

      await shop.allCommitted();
      expect(new Set(shop.effects)).toEqual(new Set(orders));
    },
    PATIENCE_MS,
  );

  it(
    'are seen by every instance: a duplicate in another partition runs nowhere again',
    async () => {
      const redis = await startRedis();
      const one = await openShop(redis, {});
      const other = await one.join();
      await eventually(() => one.partitions() > 0 && other.partitions() > 0);
      const twice = Array.from({ length: 60 }, (_, i) => `twice-${String(i)}`);

      await one.publishAs(twice, (id) => id);
      // The same events once more, under keys that lead elsewhere.
      await one.publishAs(twice, (id) => `again ${id}`);
      await one.allCommitted();

      expect([...one.effects, ...other.effects]).toHaveLength(twice.length);
      expect(one.count('duplicate') + other.count('duplicate')).toBe(twice.length);
      expect(other.count('duplicate') * one.count('duplicate')).toBeGreaterThan(0);
    },
    PATIENCE_MS,
  );
});

describeWithCommand(['redis-server'], 'a service that boots with Redis as its store', () => {
  it('is refused a Redis that evicts keys, with what to do about it', async () => {
    const redis = await startRedis('--maxmemory-policy', 'allkeys-lru');
    await expect(openShop(redis, {})).rejects.toThrow(
      /Redis at 127.0.0.1:\d+ has the maxmemory-policy allkeys-lru.*noeviction.*allowEviction/s,
    );
  });

  it('may accept one that evicts keys', async () => {
    const redis = await startRedis('--maxmemory-policy', 'allkeys-lru');
    await openShop(redis, {}, { allowEviction: true });
  });

  it("fails where Redis is away and onUnavailable is 'fail'", async () => {
    const redis = await startRedis();
    await redis.shutDown();
    await expect(openShop(redis, {}, {}, { onUnavailable: 'fail' })).rejects.toMatchObject({
      code: 'STORE_UNAVAILABLE',
      message: expect.stringContaining('ECONNREFUSED') as unknown,
    });
  });

  it.each([
    ['a wrong password', 'not-the-password', /WRONGPASS|invalid/i],
    ['no password', undefined, /NOAUTH/],
  ])('names %s, and no secret', async (_what, password, problem) => {
    const redis = await startRedis('--requirepass', 'the-right-one');
    const client = redisClient(redis, password === undefined ? {} : { password });
    const store = new RedisIdempotencyStore({ client });
    onCleanup(() => {
      store.close();
    });

    const error: unknown = await store.verify().catch((thrown: unknown) => thrown);

    expect(error).toBeInstanceOf(StoreUnavailableError);
    expect(String(error)).toMatch(problem);
    expect(inspect(error, { depth: 10 })).not.toContain('not-the-password');
  });

  it('waits for a Redis that is away, not ready meanwhile, and starts when it is there', async () => {
    const redis = await startRedis();
    await redis.shutDown();
    const shop = await openShop(redis, {}, {}, { onUnavailable: 'retry' });
    expect(shop.health()).toMatchObject({ ready: false });
    expect(JSON.stringify(shop.health())).toContain('Redis does not answer');

    await redis.boot();
    await shop.publishAs(['o-1'], (id) => id);

    await eventually(() => shop.effects.length === 1);
    expect(shop.health()).toMatchObject({ ready: true });
  });
});

/** An application on Kafka and that Redis; `join` adds another instance of it. */
async function openShop(
  redis: RedisServer,
  idempotency: KafkaEventsModuleOptions['idempotency'],
  ofStore: { allowEviction?: boolean } = {},
  overrides: KafkaEventsModuleOptions = {},
) {
  const kafka = await startEmbeddedKafka();
  const brokers = kafka.brokers;
  const topic = await createEventTopic(brokers, 4);
  const groupId = uniqueName('group');
  const instance = () =>
    openInstance({ brokers, groupId, topic }, redis, idempotency, ofStore, overrides);
  const first = await instance();
  return {
    ...first,
    get running() {
      return first.running();
    },
    join: instance,
    allCommitted: () => committedToTheEnd(brokers, groupId, topic),
  };
}

async function openInstance(
  { brokers, groupId, topic }: { brokers: string[]; groupId: string; topic: string },
  redis: RedisServer,
  idempotency: KafkaEventsModuleOptions['idempotency'],
  ofStore: { allowEviction?: boolean },
  overrides: KafkaEventsModuleOptions,
) {
  const effects: string[] = [];
  let running = 0;
  @Injectable()
  class Orders {
    @EventHandler(OrderCreated)
    async handle(@Payload() { orderId }: OrderCreated): Promise<void> {
      running++;
      await new Promise((resolve) => setImmediate(resolve));
      effects.push(orderId);
      running--;
    }
  }
  const client = redisClient(redis);
  const counts = new Map<SignalName, number>();
  const count = (name: SignalName) => () => {
    counts.set(name, (counts.get(name) ?? 0) + 1);
  };
  let partitions = 0;
  const observer: KafkaEventsObserver = {
    onHandled: count('handled'),
    onDuplicate: count('duplicate'),
    onStoreFailed: count('storeFailed'),
    onClaimLost: count('claimLost'),
    onHandledWithoutDedup: count('handledWithoutDedup'),
    onPartitionAssigned: () => {
      partitions++;
    },
  };
  const store = new RedisIdempotencyStore({
    client,
    commandTimeoutMs: COMMAND_TIMEOUT_MS,
    ...ofStore,
  });
  const options = quickOptions(brokers, groupId, topic, {
    idempotency: { ...idempotency, store },
    observers: [observer],
    ...overrides,
  });
  const app = await bootApp({
    imports: [KafkaEventsModule.forRoot(options)],
    providers: [Orders],
  });
  const publisher = app.get(EventPublisher);
  const publishAs = async (ids: readonly string[], keyOf: (id: string) => string) => {
    const events = ids.map((id) => event(OrderCreated, { orderId: keyOf(id) }, { eventId: id }));
    await publisher.publishAll(events);
  };
  const sent: string[] = [];
  return {
    effects,
    running: () => running,
    partitions: () => partitions,
    health: () => app.get(KafkaEventsHealth).check(),
    count: (name: SignalName) => counts.get(name) ?? 0,
    publishAs,
    /** Waits until that many more have been published. */
    published: async (more: number) => {
      const until = sent.length + more;
      await eventually(() => sent.length >= until);
    },
    /** Publishes in the background until told to stop; answers the orders. */
    publishWhile: () => {
      const stopping = new AbortController();
      const publishing = (async () => {
        while (!stopping.signal.aborted) {
          const ids = Array.from({ length: 10 }, (_, i) => `o-${String(sent.length + i)}`);
          await publishAs(ids, (id) => id);
          sent.push(...ids);
        }
      })();
      return {
        stop: async () => {
          stopping.abort();
          await publishing;
          return sent;
        },
      };
    },
  };
}
