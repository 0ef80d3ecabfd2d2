import { expect, it } from '@jest/globals';

import { inTransaction, PostgresIdempotencyStore } from '../../../lib/postgres/index.js';
import { eventually } from '../../support/eventually.js';
import { createDatabase, describeRealPostgres, postgresPool } from '../../support/real-postgres.js';

describeRealPostgres('a claim of what is over', (url) => {
  it('is granted although a sweep is at it', async () => {
    const pool = postgresPool(await createDatabase(url()));
    const store = new PostgresIdempotencyStore({ pool });
    await store.createTables();
    const request = { key: 'k', leaseMs: 1, level: 0, retentionMs: 1 };
    await store.claim([{ ...request, token: 'first' }]);

    const claimed = await inTransaction(pool, async (tx) => {
      await eventually(async () => {
        const { rowCount } = await pool.query(
          'SELECT FROM kafka_events.claims WHERE forget_at <= clock_timestamp()',
        );
        return rowCount === 1;
      });
      // As a sweep has it.
      await tx.query('SELECT key FROM kafka_events.claims FOR UPDATE');
      const claiming = store.claim([{ ...request, token: 'second' }]);
      await eventually(async () => {
        const { rowCount } = await pool.query(
          `SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock'`,
        );
        return rowCount === 1;
      });
      await tx.query('DELETE FROM kafka_events.claims');
      return { claiming };
    });

    expect(await claimed.claiming).toEqual([{ status: 'claimed', attempts: 0 }]);
  });

  it.each([
    ['dead', { state: 'dead', level: 0 } as const, 0],
    ['given back', null, 2],
  ])('is granted where it is %s, and looked at by a sweep', async (_what, mark, attempts) => {
    const pool = postgresPool(await createDatabase(url()));
    const store = new PostgresIdempotencyStore({ pool });
    await store.createTables();
    const [long, held] = [60_000, { key: 'k', token: 'first' }];
    await store.claim([{ ...held, leaseMs: long, level: 0, retentionMs: long }]);
    if (mark === null) await store.release([{ ...held, attempts, retentionMs: long }]);
    else await store.complete([{ ...held, ...mark, retentionMs: long }]);

    const claimed = await inTransaction(pool, async (tx) => {
      await tx.query('SELECT key FROM kafka_events.claims FOR UPDATE');
      const request = { key: 'k', token: 'second', leaseMs: long, level: 1, retentionMs: long };
      const claiming = store.claim([request]);
      await eventually(async () => {
        const { rowCount } = await pool.query(
          `SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock'`,
        );
        return rowCount === 1;
      });
      return { claiming };
    });

    expect(await claimed.claiming).toEqual([{ status: 'claimed', attempts }]);
  });
});
