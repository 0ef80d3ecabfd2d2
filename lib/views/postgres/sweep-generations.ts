import { textOf, type PostgresDatabase } from '../../postgres/postgres-database.js';
import type { ViewRef } from '../view-store.js';
import { lockOf } from './generation-lock.js';

/** Rows that one sweep removes. */
const ROWS = 1_000;

/** `ViewStore.sweep` in Postgres. */
export async function sweep(
  database: PostgresDatabase,
  { view, version }: ViewRef,
  unusedMs: number,
): Promise<boolean> {
  const { schema } = database;
  await database.query(
    `UPDATE ${schema}.view_generations SET used_at = clock_timestamp()
     WHERE view = $1 AND version = $2 AND state <> 'retired'`,
    [view, version],
  );
  await database.query(
    `UPDATE ${schema}.view_generations SET state = 'retired'
     WHERE view = $1 AND version <> $2 AND state <> 'retired'
       AND used_at < clock_timestamp() - $3 * interval '1 ms'
       AND EXISTS (SELECT FROM ${schema}.view_generations own
                   WHERE own.view = $1 AND own.version = $2 AND own.state = 'live')`,
    [view, version, unusedMs],
  );
  const [retired] = await database.query(
    `SELECT id FROM ${schema}.view_generations WHERE view = $1 AND state = 'retired' LIMIT 1`,
    [view],
  );
  if (retired === undefined) return false;
  const id = textOf(retired.id);
  const removed = await database.query(
    `DELETE FROM ${schema}.view_rows WHERE ctid = ANY (ARRAY (
       SELECT ctid FROM ${schema}.view_rows WHERE generation = $1 LIMIT ${String(ROWS)}
     )) RETURNING 1`,
    [id],
  );
  if (removed.length === 0) await forget(database, id);
  return true;
}

/** Alone with it, no change is under way: what has no rows then never has any again. */
function forget(database: PostgresDatabase, id: string): Promise<void> {
  const { schema } = database;
  return database.steps(
    async (query) => {
      await query(
        `DELETE FROM ${schema}.view_generations WHERE id = $1
         AND NOT EXISTS (SELECT FROM ${schema}.view_rows WHERE generation = $1)`,
        [id],
      );
    },
    { alone: lockOf(database, id) },
  );
}
