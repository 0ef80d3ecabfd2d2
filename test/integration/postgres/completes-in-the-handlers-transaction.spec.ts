import { beforeEach, expect, it } from '@jest/globals';

import {
  ClaimLostError,
  MemoryIdempotencyStore,
  NoClaimError,
  RolledBackError,
  type EventContext,
  type SqlTransaction,
} from '../../../lib/index.js';
import { inTransaction, PostgresIdempotencyStore } from '../../../lib/postgres/index.js';
import { createEventBatch, createEventContext } from '../../../lib/testing/index.js';
import { onCleanup } from '../../support/cleanup.js';
import { createDatabase, describeRealPostgres, postgresPool } from '../../support/real-postgres.js';
import { OrderCreated } from '../../support/shop-events.js';
import { rejectionOf } from '../../support/thrown-by.js';

const ORDER = { orderId: '17' };
const LEASE_MS = 60_000;
const RETENTION_MS = 60_000;

describeRealPostgres('a handler that completes its claim in its transaction', (url) => {
  let pool: ReturnType<typeof postgresPool>;
  let store: PostgresIdempotencyStore;

  beforeEach(async () => {
    pool = postgresPool(await createDatabase(url()));
    store = new PostgresIdempotencyStore({ pool });
    onCleanup(() => store.close());
    await store.createTables();
    await pool.query('CREATE TABLE effects (event_id text)');
  });

  const delivered = () => createEventContext(OrderCreated, ORDER, { store });

  function handle(event: EventContext): Promise<void> {
    return inTransaction(pool, async (tx) => {
      await store.completeIn(tx, event);
      await tx.query('INSERT INTO effects VALUES ($1)', [event.eventId]);
    });
  }

  async function effects(): Promise<unknown[]> {
    return (await pool.query<{ event_id: string }>('SELECT * FROM effects')).rows;
  }

  /** As another process would. */
  async function claimedAgain(event: EventContext, leaseMs = LEASE_MS) {
    const { key } = claimOf(event);
    const request = { key, token: 'another', leaseMs, level: 0, retentionMs: RETENTION_MS };
    return (await store.claim([request]))[0];
  }

  it('commits its effect and its mark together', async () => {
    const event = await delivered();
    await handle(event);

    expect(await effects()).toEqual([{ event_id: event.eventId }]);
    expect(await claimedAgain(event)).toEqual({ status: 'done' });
  });

  it('is completed by the engine as well, and given back by nobody', async () => {
    const event = await delivered();
    await handle(event);

    const { key, token, level, retentionMs } = claimOf(event);
    await store.release([{ key, token, attempts: 1, retentionMs }]);
    expect(await claimedAgain(event)).toEqual({ status: 'done' });
    expect(await store.complete([{ key, token, level, retentionMs, state: 'done' }])).toEqual([
      true,
    ]);
  });

  it('leaves neither where it fails after that', async () => {
    const event = await delivered();
    const failing = inTransaction(pool, async (tx) => {
      await store.completeIn(tx, event);
      await tx.query('INSERT INTO effects VALUES ($1)', [event.eventId]);
      throw new Error('out of stock');
    });
    await expect(failing).rejects.toThrow('out of stock');

    expect(await effects()).toEqual([]);
    const { key, token, retentionMs } = claimOf(event);
    await store.release([{ key, token, attempts: 1, retentionMs }]);
    expect(await claimedAgain(event)).toEqual({ status: 'claimed', attempts: 1 });
  });

  it.each([
    ['done', (event: EventContext) => handle(event)],
    [
      'taken',
      async (event: EventContext) => {
        const { key, token } = claimOf(event);
        await store.renew([{ key, token, leaseMs: -1 }]);
        expect(await claimedAgain(event)).toMatchObject({ status: 'claimed' });
      },
    ],
    ['given back', (event: EventContext) => store.release([{ ...claimOf(event), attempts: 0 }])],
  ])('has no effect where its claim is %s, whoever catches the error', async (loss, lose) => {
    const event = await delivered();
    await lose(event);
    const before = await effects();

    const error = await rejectionOf(() => handle(event));
    expect(error).toBeInstanceOf(ClaimLostError);
    expect(error).toMatchObject({ loss, retryable: true, code: 'CLAIM_LOST' });
    const deaf = inTransaction(pool, async (tx) => {
      await store.completeIn(tx, event).catch(() => undefined);
    });
    await expect(deaf).rejects.toThrow(RolledBackError);
    expect(await effects()).toEqual(before);
  });

  it('keeps others off while its transaction is open, its lease long over, and holds up nobody', async () => {
    const event = await delivered();
    const { key, token } = claimOf(event);
    await store.renew([{ key, token, leaseMs: -1 }]);
    await inTransaction(pool, async (tx) => {
      await store.completeIn(tx, event);

      expect(await claimedAgain(event)).toMatchObject({ status: 'in-progress' });
      expect(await store.renew([{ key, token, leaseMs: LEASE_MS }])).toEqual([true]);
      await store.release([{ ...claimOf(event), attempts: 0 }]);
      await store.refresh([{ key, retentionMs: RETENTION_MS }]);
    });
    expect(await claimedAgain(event)).toEqual({ status: 'done' });
  });

  it('completes of a batch what it has said nothing of, together', async () => {
    const batch = await createEventBatch(OrderCreated, [ORDER, ORDER, ORDER], { store });
    batch.retry(1, new Error('not yet'));
    const rolledBack = inTransaction(pool, async (tx) => {
      await store.completeIn(tx, batch);
      throw new Error('not so');
    });
    await expect(rolledBack).rejects.toThrow('not so');
    await inTransaction(pool, (tx) => store.completeIn(tx, batch));

    const states = await Promise.all(
      [...batch].map(async (item) => {
        const { key } = claimOf(item);
        const request = { key, token: 'another', leaseMs: LEASE_MS, level: 0 };
        const [answer] = await store.claim([{ ...request, retentionMs: RETENTION_MS }]);
        return answer?.status;
      }),
    );
    expect(states).toEqual(['done', 'in-progress', 'done']);
  });

  it('says where there is no claim, or one of another store', async () => {
    const tx: SqlTransaction = pool;
    const unclaimed = await createEventContext(OrderCreated, ORDER);
    expect(await rejectionOf(() => store.completeIn(tx, unclaimed))).toBeInstanceOf(NoClaimError);

    const memory = new MemoryIdempotencyStore();
    const elsewhere = await createEventContext(OrderCreated, ORDER, { store: memory });
    await expect(store.completeIn(tx, elsewhere)).rejects.toThrow(/"memory"; give the module this/);
  });

  it('says where the claim is in another database, and takes another store of the same for its own', async () => {
    const storeOf = (itsPool: typeof pool) => {
      const made = new PostgresIdempotencyStore({ pool: itsPool });
      onCleanup(() => made.close());
      return made;
    };
    const far = storeOf(postgresPool(await createDatabase(url())));
    await far.createTables();
    const event = await createEventContext(OrderCreated, ORDER, { store: far });
    const error = await rejectionOf(() => handle(event));
    expect(error).toBeInstanceOf(NoClaimError);
    expect(error).toHaveProperty('message', expect.stringContaining('another database or schema'));
    expect(await effects()).toEqual([]);

    const near = storeOf(pool);
    await handle(await createEventContext(OrderCreated, ORDER, { store: near }));
    expect(await effects()).toHaveLength(1);
  });

  it('is told of a lost claim through libraries that wrap what Postgres says', async () => {
    const event = await delivered();
    await handle(event);
    const wrapping: SqlTransaction = {
      query: (text, values) =>
        pool.query(text, values).catch((driverError: unknown) => {
          throw Object.assign(new Error('QueryFailedError'), { driverError });
        }),
    };
    await expect(store.completeIn(wrapping, event)).rejects.toThrow(ClaimLostError);
  });
});

function claimOf(event: Pick<EventContext, 'joinClaim'>) {
  const claim = event.joinClaim();
  if (claim === null) throw new Error('it has no claim');
  return claim;
}
