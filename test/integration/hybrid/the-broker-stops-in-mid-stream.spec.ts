import { Ctx, Payload } from '@nestjs/microservices';
import { beforeAll, expect, it } from '@jest/globals';
import type pg from 'pg';
import { z } from 'zod';

import { deliverTo, eventDelivery } from '../../../lib/grpc/index.js';
import {
  asyncFirst,
  defineEvent,
  EventHandler,
  HybridRouter,
  KafkaEventsModule,
  type AsyncFirstResult,
  type EventContext,
  type EventPayload,
} from '../../../lib/index.js';
import { PostgresIdempotencyStore, PostgresOutbox } from '../../../lib/postgres/index.js';
import { onCleanup } from '../../support/cleanup.js';
import { createEventTopic } from '../../support/event-topic.js';
import { eventually } from '../../support/eventually.js';
import type { KafkaBroker } from '../../support/kafka-broker.js';
import { bootApp, quickOptions } from '../../support/nest-app.js';
import { describeRealKafka, startPrivateBroker } from '../../support/real-kafka.js';
import { createDatabase, describeRealPostgres, postgresPool } from '../../support/real-postgres.js';
import { uniqueName } from '../../support/unique-topic.js';

const EVENTS = 800;
const KEYS = 10;

const Placed = defineEvent({
  type: 'order.placed',
  version: 1,
  topic: 'orders',
  key: ({ customer }) => customer,
  schema: z.object({ customer: z.string(), n: z.number() }),
});

interface Effect {
  readonly handler: string;
  readonly event_id: string;
  readonly customer: string;
  readonly n: number;
  readonly direct: boolean;
}

describeRealKafka('async first on real Kafka and Postgres', () => {
  describeRealPostgres('while the broker goes and comes back', (url) => {
    let broker: KafkaBroker;
    let topic: string;
    let pool: pg.Pool;

    beforeAll(async () => {
      broker = await startPrivateBroker();
      topic = await createEventTopic(broker.brokers, 3);
      pool = postgresPool(await createDatabase(url()), { max: 20 });
      await new PostgresOutbox({ pool }).createTables();
      await new PostgresIdempotencyStore({ pool }).createTables();
      // The ledger stands outside: nothing here looks whether an effect is there already.
      await pool.query(
        'CREATE TABLE effects (at serial, handler text, event_id text, customer text, n int, direct boolean)',
      );
    }, 120_000);

    /** Two handlers of one event: one accepts it at once and in any order, the other keeps its order. */
    async function openFulfilment() {
      const apply = async (
        handler: string,
        { customer, n }: EventPayload<typeof Placed>,
        { eventId, direct }: EventContext,
      ) => {
        await pool.query(
          'INSERT INTO effects (handler, event_id, customer, n, direct) VALUES ($1, $2, $3, $4, $5)',
          [handler, eventId, customer, n, direct],
        );
      };
      class Fulfilment {
        @EventHandler(Placed, { acceptsDirect: true })
        pack(@Payload() order: EventPayload<typeof Placed>, @Ctx() event: EventContext) {
          return apply('pack', order, event);
        }

        @EventHandler(Placed)
        book(@Payload() order: EventPayload<typeof Placed>, @Ctx() event: EventContext) {
          return apply('book', order, event);
        }
      }
      const server = eventDelivery({
        listen: '127.0.0.1:0',
        guard: (metadata) => metadata.get('authorization')[0] === 'Bearer shop',
      });
      const options = quickOptions(broker.brokers, uniqueName('fulfilment'), topic, {
        idempotency: { store: new PostgresIdempotencyStore({ pool }) },
        directDelivery: { transport: server },
      });
      await bootApp({ imports: [KafkaEventsModule.forRoot(options)], providers: [Fulfilment] });
      return `127.0.0.1:${String(server.port)}`;
    }

    async function openShop(target: string) {
      const fulfilment = deliverTo({
        url: target,
        metadata: () => ({ authorization: 'Bearer shop' }),
      });
      const options = quickOptions(broker.brokers, uniqueName('shop'), topic, {
        connectionTimeoutMs: 500,
        requestTimeoutMs: 2_000,
        outbox: { store: new PostgresOutbox({ pool }), leaseMs: 2_000, pollMs: 100 },
        hybrid: { directTo: { fulfilment } },
      });
      const app = await bootApp({ imports: [KafkaEventsModule.forRoot(options)] });
      return app.get(HybridRouter);
    }

    it('loses nothing, applies nothing twice, and keeps the order of each key', async () => {
      const router = await openShop(await openFulfilment());
      const place = asyncFirst({ event: Placed, deadlineMs: 300, direct: { to: 'fulfilment' } });
      const results: AsyncFirstResult[] = [];
      const from = (first: number, to: number): Promise<unknown> => {
        // Each customer orders one after another, all of them at once.
        const customers = Array.from({ length: KEYS }, async (_, k) => {
          for (let n = first; n < to; n++) {
            if (n % KEYS !== k) continue;
            results.push(await router.run(place, { customer: `c${String(k)}`, n }));
          }
        });
        return Promise.all(customers);
      };
      onCleanup(() => broker.boot().catch(() => undefined));

      await from(0, EVENTS / 4);
      const down = from(EVENTS / 4, EVENTS / 2);
      await broker.shutDown('SIGKILL');
      await down;
      const back = from(EVENTS / 2, (EVENTS * 3) / 4);
      await broker.boot();
      await back;
      const outboxIsEmpty = (): Promise<boolean> =>
        eventually(
          async () => (await pool.query('SELECT FROM kafka_events.outbox')).rowCount === 0,
          { timeoutMs: 60_000, message: 'an empty outbox' },
        );
      await outboxIsEmpty();
      const before = results.length;
      await from((EVENTS * 3) / 4, EVENTS);
      const afterwards = countBy(results.slice(before), ({ path }) => path);

      const effects = async (): Promise<Effect[]> =>
        (await pool.query<Effect>('SELECT * FROM effects ORDER BY at')).rows;
      await eventually(async () => (await effects()).length >= EVENTS * 2, { timeoutMs: 60_000 });
      await outboxIsEmpty();
      const all = await effects();
      const paths = countBy(results, ({ path }) => path);
      const direct = all.filter((effect) => effect.direct).length;
      console.info(
        JSON.stringify({ ...paths, afterwards, handledDirectly: direct, effects: all.length }),
      );

      expect(results).toHaveLength(EVENTS);
      expect(results.every(({ durable }) => durable)).toBe(true);
      const ids = results.map(({ eventId }) => eventId).sort();
      for (const handler of ['pack', 'book']) {
        const own = all.filter((effect) => effect.handler === handler);
        expect(own.map(({ event_id: id }) => id).sort()).toEqual(ids);
      }
      for (let k = 0; k < KEYS; k++) {
        const booked = all.filter(
          ({ handler, customer }) => handler === 'book' && customer === `c${String(k)}`,
        );
        expect(booked.map(({ n }) => n)).toEqual(booked.map(({ n }) => n).sort((a, b) => a - b));
        expect(booked.some((effect) => effect.direct)).toBe(false);
      }
      // The broker was really away, and the handler that accepts it did not wait for it.
      expect(paths['outbox+direct']).toBeGreaterThan(EVENTS / 10);
      expect(paths.published).toBeGreaterThan(EVENTS / 10);
      // Every key gets out of the outbox again.
      expect(afterwards.published).toBeGreaterThan(EVENTS / 10);
      expect(direct).toBeGreaterThan(EVENTS / 10);
    }, 180_000);
  });
});

function countBy<T>(items: readonly T[], keyOf: (item: T) => string): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const item of items) counts[keyOf(item)] = (counts[keyOf(item)] ?? 0) + 1;
  return counts;
}
