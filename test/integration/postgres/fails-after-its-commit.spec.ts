import { expect, it } from '@jest/globals';
import { Ctx } from '@nestjs/microservices';
import type { Pool } from 'pg';

import {
  EventBatch,
  EventBatchHandler,
  EventContext,
  EventHandler,
  EventPublisher,
  event,
  KafkaEventsModule,
} from '../../../lib/index.js';
import { inTransaction, PostgresIdempotencyStore } from '../../../lib/postgres/index.js';
import { startEmbeddedKafka } from '../../support/embedded-kafka.js';
import { committedToTheEnd, createEventTopic, endOffsets } from '../../support/event-topic.js';
import { bootApp, quickOptions } from '../../support/nest-app.js';
import { describeRealPostgres, postgresPool } from '../../support/real-postgres.js';
import { OrderCreated } from '../../support/shop-events.js';
import { uniqueName } from '../../support/unique-topic.js';

const ORDERS = ['1', '2', '3', '4'];
/** So that the first failure is the last. */
const ONE_ATTEMPT = { retry: { attempts: 1 }, outage: false } as const;

type Handlers = (pool: Pool, store: PostgresIdempotencyStore) => object;

const ofRecords: Handlers = (pool, store) => {
  class Orders {
    @EventHandler(OrderCreated, ONE_ATTEMPT)
    async handle(_order: OrderCreated, @Ctx() received: EventContext): Promise<void> {
      await inTransaction(pool, async (tx) => {
        await store.completeIn(tx, received);
        await tx.query('INSERT INTO effects VALUES ($1)', [received.eventId]);
      });
      throw new Error('after the commit');
    }
  }
  return new Orders();
};

const ofBatches: Handlers = (pool, store) => {
  class Orders {
    @EventBatchHandler(OrderCreated, ONE_ATTEMPT)
    async handle(batch: EventBatch<OrderCreated>): Promise<void> {
      await inTransaction(pool, async (tx) => {
        await store.completeIn(tx, batch);
        for (const { eventId } of batch) {
          await tx.query('INSERT INTO effects VALUES ($1)', [eventId]);
        }
      });
      throw new Error('after the commit');
    }
  }
  return new Orders();
};

describeRealPostgres('a handler that fails after it has committed', (url) => {
  it.each<[string, Handlers]>([
    ['one by one', ofRecords],
    ['in batches', ofBatches],
  ])(
    'is neither run again nor dead-lettered: %s',
    async (_how, handlers) => {
      const kafka = await startEmbeddedKafka();
      const topic = await createEventTopic(kafka.brokers);
      const pool = postgresPool(url());
      const schema = uniqueName('claims').replaceAll('-', '_');
      const store = new PostgresIdempotencyStore({ pool, schema });
      await store.createTables();
      await pool.query('DROP TABLE IF EXISTS effects; CREATE TABLE effects (event_id text)');
      const groupId = uniqueName('group');
      const options = quickOptions(kafka.brokers, groupId, topic, { idempotency: { store } });
      const app = await bootApp({
        imports: [KafkaEventsModule.forRoot(options)],
        providers: [{ provide: 'orders', useValue: handlers(pool, store) }],
      });

      const events = ORDERS.map((orderId) =>
        event(OrderCreated, { orderId }, { eventId: orderId }),
      );
      await app.get(EventPublisher).publishAll(events);
      await committedToTheEnd(kafka.brokers, groupId, topic);

      const { rows } = await pool.query<{ event_id: string }>('SELECT * FROM effects ORDER BY 1');
      expect(rows.map((row) => row.event_id)).toEqual(ORDERS);
      expect(await endOffsets(kafka.brokers, `${topic}.dlq`)).toEqual([0]);
    },
    60_000,
  );
});
