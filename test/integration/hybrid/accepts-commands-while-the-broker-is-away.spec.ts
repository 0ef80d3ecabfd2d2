import { Payload } from '@nestjs/microservices';
import { expect, it } from '@jest/globals';
import { z } from 'zod';

import {
  acceptAs,
  defineEvent,
  EventHandler,
  HybridRouter,
  KafkaEventsModule,
  syncFirst,
  syncService,
  type EventPayload,
} from '../../../lib/index.js';
import { PostgresOutbox } from '../../../lib/postgres/index.js';
import { onCleanup } from '../../support/cleanup.js';
import { createEventTopic } from '../../support/event-topic.js';
import { eventually } from '../../support/eventually.js';
import { bootApp, quickOptions } from '../../support/nest-app.js';
import { describeRealKafka, startPrivateBroker } from '../../support/real-kafka.js';
import { createDatabase, describeRealPostgres, postgresPool } from '../../support/real-postgres.js';
import { failing, Inventory, ScriptedTransport } from '../../support/sync-service.js';
import { uniqueName } from '../../support/unique-topic.js';

const ReservationRequested = defineEvent({
  type: 'reservation.requested',
  version: 1,
  topic: 'reservations',
  key: ({ sku }) => sku,
  schema: z.object({ sku: z.string() }),
});

const reserve = syncFirst(Inventory, 'reserve', {
  otherwise: [
    acceptAs(
      ReservationRequested,
      ({ sku }) => ({ sku }),
      ({ sku }) => ({ eventId: `reserve-${sku}` }),
    ),
  ],
});

describeRealKafka('a command whose service does not answer', () => {
  describeRealPostgres('while the broker is away, too', (url) => {
    it('is accepted by the outbox, and carried out once when the broker is back', async () => {
      const broker = await startPrivateBroker();
      const topic = await createEventTopic(broker.brokers, 1);
      const pool = postgresPool(await createDatabase(url()));
      const store = new PostgresOutbox({ pool });
      await store.createTables();
      const reserved: string[] = [];
      class Reservations {
        @EventHandler(ReservationRequested)
        reserve(@Payload() { sku }: EventPayload<typeof ReservationRequested>) {
          reserved.push(sku);
        }
      }
      const transport = new ScriptedTransport(failing('UNAVAILABLE'));
      const options = quickOptions(broker.brokers, uniqueName('shop'), topic, {
        connectionTimeoutMs: 500,
        requestTimeoutMs: 2_000,
        outbox: { store, leaseMs: 2_000, pollMs: 100 },
        sync: { services: [syncService(Inventory, { transport })] },
      });
      const app = await bootApp({
        imports: [KafkaEventsModule.forRoot(options)],
        providers: [Reservations],
      });
      const router = app.get(HybridRouter);
      onCleanup(() => broker.boot().catch(() => undefined));
      const run = (sku: string) => router.run(reserve, { sku }, { deadlineMs: 2_000 });

      expect(await run('a')).toMatchObject({ path: 'accepted', keptBy: 'broker' });
      await broker.shutDown('SIGKILL');
      expect(await run('b')).toMatchObject({
        path: 'accepted',
        ...{ keptBy: 'outbox', eventId: 'reserve-b', receipt: null },
        cause: { status: 'UNAVAILABLE' },
      });
      expect(reserved).not.toContain('b');
      await broker.boot();

      await eventually(() => reserved.includes('b'), { timeoutMs: 60_000 });
      await eventually(
        async () => (await pool.query('SELECT FROM kafka_events.outbox')).rowCount === 0,
        { timeoutMs: 60_000, message: 'an empty outbox' },
      );
      expect(reserved).toEqual(['a', 'b']);
    }, 180_000);
  });
});
