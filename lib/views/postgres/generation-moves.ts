import { textOf, type PostgresDatabase, type Query } from '../../postgres/postgres-database.js';
import type { ViewPosition, ViewRef } from '../view-store.js';
import { lockOf } from './generation-lock.js';

/** `ViewStore.freeze` in Postgres: has the generation for itself, so that no change is under way. */
export function freeze(
  database: PostgresDatabase,
  generation: string,
  forMs: number,
): Promise<boolean> {
  const { schema } = database;
  return database.steps(
    async (query) => {
      const frozen = await query(
        `UPDATE ${schema}.view_generations
         SET frozen_until = clock_timestamp() + $2 * interval '1 ms'
         WHERE id = $1 AND state = 'live' AND frozen_until + $2 * interval '1 ms' <= clock_timestamp()
         RETURNING id`,
        [generation, forMs],
      );
      return frozen.length > 0;
    },
    { alone: lockOf(database, generation) },
  );
}

/** `ViewStore.swap` in Postgres: has the live generation for itself, whose freeze may be about to end. */
export async function swapIn(
  database: PostgresDatabase,
  ref: ViewRef,
  id: string,
  known: readonly ViewPosition[],
): Promise<boolean> {
  const { schema } = database;
  const [live] = await database.query(
    `SELECT id FROM ${schema}.view_generations WHERE view = $1 AND version = $2 AND state = 'live'`,
    [ref.view, ref.version],
  );
  const liveId = live === undefined ? null : textOf(live.id);
  return database.steps(
    async (query) => {
      if (!(await maySwap(schema, query, ref, { id, liveId }))) return false;
      if (liveId !== null) {
        if (await isBehind(schema, query, { id, liveId }, known)) return false;
        await move(schema, query, liveId, 'retired');
      }
      await move(schema, query, id, 'live');
      return true;
    },
    liveId === null ? {} : { alone: lockOf(database, liveId) },
  );
}

interface Swap {
  readonly id: string;
  readonly liveId: string | null;
}

/** Whether both are still what they were. */
async function maySwap(
  schema: string,
  query: Query,
  { view, version }: ViewRef,
  { id, liveId }: Swap,
): Promise<boolean> {
  const found = await query(
    `SELECT id, state, frozen_until > clock_timestamp() AS frozen FROM ${schema}.view_generations
     WHERE view = $1 AND version = $2 AND state <> 'retired' ORDER BY id FOR UPDATE`,
    [view, version],
  );
  if (!found.some((each) => each.id === id && each.state === 'building')) return false;
  const live = found.find(({ state }) => state === 'live');
  return live === undefined ? liveId === null : live.id === liveId && live.frozen === true;
}

async function isBehind(
  schema: string,
  query: Query,
  { id, liveId }: Swap,
  known: readonly ViewPosition[],
): Promise<boolean> {
  const [behind] = await query(
    `SELECT 1 FROM ${schema}.view_positions live
     LEFT JOIN ${schema}.view_positions own ON own.generation = $1
       AND own.topic = live.topic AND own.partition = live.partition
     LEFT JOIN unnest($3::text[], $4::integer[], $5::bigint[]) AS known (topic, partition, next_offset)
       ON known.topic = live.topic AND known.partition = live.partition
     WHERE live.generation = $2
       AND greatest(own.next_offset, known.next_offset, 0) < live.next_offset
     LIMIT 1`,
    [
      ...[id, liveId],
      known.map(({ topic }) => topic),
      known.map(({ partition }) => partition),
      known.map(({ offset }) => offset.toString()),
    ],
  );
  return behind !== undefined;
}

async function move(
  schema: string,
  query: Query,
  id: string,
  state: 'live' | 'retired',
): Promise<void> {
  await query(`UPDATE ${schema}.view_generations SET state = $2 WHERE id = $1`, [id, state]);
}
