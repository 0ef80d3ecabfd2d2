import type { Pool, PoolClient } from 'pg';

import { RolledBackError, toError } from '../kafka-events.errors.js';

/**
 * Runs work in a transaction on a client of its own: committed when it resolves, rolled back when it
 * rejects, and never left open.
 *
 *     await inTransaction(pool, async (tx) => {
 *       await store.completeIn(tx, event);
 *       await tx.query('UPDATE accounts SET …');
 *     });
 *
 * Where the connection breaks during the commit, nobody knows how it ended: it rejects.
 *
 * @throws RolledBackError when a statement had failed and nobody was told; else what `work` or `pg` threw.
 */
export async function inTransaction<T>(
  pool: Pool,
  work: (tx: PoolClient) => Promise<T>,
): Promise<T> {
  const client = await pool.connect();
  let broken: Error | undefined;
  // Without a listener a connection that breaks while it is lent would end the process.
  const onError = (error: Error): void => {
    broken = error;
  };
  client.on('error', onError);
  try {
    await client.query('BEGIN');
    const result = await work(client);
    // Postgres answers a COMMIT of a transaction that has failed with ROLLBACK, and no error.
    const { command } = await client.query('COMMIT');
    if (command !== 'COMMIT') throw new RolledBackError();
    return result;
  } catch (error) {
    await client.query('ROLLBACK').catch((thrown: unknown) => {
      broken ??= toError(thrown);
    });
    throw error;
  } finally {
    client.removeListener('error', onError);
    client.release(broken);
  }
}
