import { StoreUnavailableError } from '../../kafka-events.errors.js';
import { textOf, type PostgresDatabase, type Query } from '../../postgres/postgres-database.js';
import type { ChangeAnswer, ChangePlace, KeptRow, ViewChange, ViewWork } from '../view-store.js';
import { lockOf } from './generation-lock.js';

/** Somebody else has made a row of that key meanwhile: all is read again. */
class Conflict extends Error {}

/** Each time somebody else has come further. */
const MAX_CONFLICTS = 100;

/**
 * `ViewStore.change` in Postgres: position and rows are locked, in the order of keys, before they are read. What is
 * not there cannot be locked; two who make a row of one key at once are told apart when they write.
 */
export async function changeRows(
  database: PostgresDatabase,
  place: ChangePlace,
  keys: readonly string[],
  work: ViewWork,
): Promise<ChangeAnswer> {
  for (let conflicts = 0; conflicts < MAX_CONFLICTS; conflicts++) {
    try {
      return await database.steps((query) => changeOnce(database, query, place, keys, work), {
        sharing: lockOf(database, place.generation),
      });
    } catch (error) {
      if (!(error instanceof Conflict)) throw error;
    }
  }
  throw new StoreUnavailableError('rows of a view are made by others over and over');
}

async function changeOnce(
  { schema }: PostgresDatabase,
  query: Query,
  { generation, topic, partition }: ChangePlace,
  keys: readonly string[],
  work: ViewWork,
): Promise<ChangeAnswer> {
  const [found] = await query(
    `SELECT state, frozen_until > clock_timestamp() AS frozen
     FROM ${schema}.view_generations WHERE id = $1`,
    [generation],
  );
  if (found === undefined || found.state === 'retired') return 'gone';
  if (found.frozen === true) return 'frozen';
  const place = [generation, topic, partition];
  const position = await lockedPosition(schema, query, place);
  const rows = await query(
    `SELECT key, value::text AS json, version, recent FROM ${schema}.view_rows
     WHERE generation = $1 AND key = ANY ($2::text[]) ORDER BY key FOR UPDATE`,
    [generation, keys],
  );
  const before = new Map(
    rows.map(({ key, json, version, recent }): [string, KeptRow] => [
      textOf(key),
      { json: textOf(json), version: Number(version), recent: textOf(recent) },
    ]),
  );
  await write(schema, query, place, before, work(position, before));
  return 'changed';
}

async function lockedPosition(
  schema: string,
  query: Query,
  place: readonly unknown[],
): Promise<bigint> {
  const [known] = await query(
    `SELECT next_offset::text FROM ${schema}.view_positions
     WHERE generation = $1 AND topic = $2 AND partition = $3 FOR UPDATE`,
    place,
  );
  if (known !== undefined) return BigInt(textOf(known.next_offset));
  const [made] = await query(
    `INSERT INTO ${schema}.view_positions AS p (generation, topic, partition, next_offset)
     VALUES ($1, $2, $3, 0)
     ON CONFLICT (generation, topic, partition) DO UPDATE SET next_offset = p.next_offset
     RETURNING next_offset::text`,
    place,
  );
  return BigInt(textOf(made?.next_offset));
}

/** All in one statement: each part of it has rows of its own. */
async function write(
  schema: string,
  query: Query,
  place: readonly unknown[],
  before: ReadonlyMap<string, KeptRow>,
  { position, rows }: ViewChange,
): Promise<void> {
  const entries = [...rows].sort(([a], [b]) => Buffer.from(a).compare(Buffer.from(b)));
  const kept = entries.flatMap(([key, row]) => (row === null ? [] : [{ key, ...row }]));
  const added = kept.filter(({ key }) => !before.has(key));
  const changed = kept.filter(({ key }) => before.has(key));
  const deleted = entries.flatMap(([key, row]) => (row === null ? [key] : []));
  const [written] = await query(
    `WITH moved AS (
       UPDATE ${schema}.view_positions SET next_offset = $4
       WHERE generation = $1 AND topic = $2 AND partition = $3 AND next_offset <> $4
     ), deleted AS (
       DELETE FROM ${schema}.view_rows WHERE generation = $1 AND key = ANY ($5::text[])
     ), changed AS (
       UPDATE ${schema}.view_rows r SET value = c.json::jsonb, version = c.version, recent = c.recent
       FROM unnest($6::text[], $7::text[], $8::bigint[], $9::text[]) AS c (key, json, version, recent)
       WHERE r.generation = $1 AND r.key = c.key
     ), added AS (
       INSERT INTO ${schema}.view_rows (generation, key, value, version, recent)
       SELECT $1, a.key, a.json::jsonb, a.version, a.recent
       FROM unnest($10::text[], $11::text[], $12::bigint[], $13::text[])
         WITH ORDINALITY AS a (key, json, version, recent, place)
       ORDER BY a.place
       ON CONFLICT DO NOTHING RETURNING 1
     )
     SELECT count(*) AS added FROM added`,
    [...place, position.toString(), deleted, ...columnsOf(changed), ...columnsOf(added)],
  );
  if (Number(written?.added) < added.length) throw new Conflict();
}

function columnsOf(rows: readonly (KeptRow & { readonly key: string })[]): unknown[] {
  return [
    rows.map(({ key }) => key),
    rows.map(({ json }) => json),
    rows.map(({ version }) => version),
    rows.map(({ recent }) => recent),
  ];
}
