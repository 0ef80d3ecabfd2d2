import {
  PostgresDatabase,
  textOf,
  type PostgresOptions,
  type Row,
} from '../../postgres/postgres-database.js';
import { createTables, sqlOfTables, verifyTables } from '../../postgres/tables.js';
import type {
  ChangeAnswer,
  ChangePlace,
  Generation,
  KeyedRow,
  RowQuery,
  StoredRow,
  ViewPosition,
  ViewRef,
  ViewStore,
  ViewWork,
} from '../view-store.js';
import { changeRows } from './change-rows.js';
import { freeze, swapIn } from './generation-moves.js';
import { sweep } from './sweep-generations.js';
import { VIEWS } from './view-tables.js';

/**
 * Views in Postgres (14 or later), shared by all instances of a service: built once, kept by all of them together, and
 * there again after a restart.
 *
 * A batch of records of one partition is one transaction of six statements. Nothing of it needs a session of its own,
 * so a pooler may stand between.
 *
 *     new PostgresViewStore({ connectionString: process.env.DATABASE_URL })
 */
export class PostgresViewStore implements ViewStore {
  readonly name = 'postgres';
  readonly inProcess = false;
  /** What `createTables` runs, for a migration of the application's own. */
  readonly sql: string;
  readonly #database: PostgresDatabase;

  /** @throws InvalidOptionsError */
  constructor(options: PostgresOptions) {
    this.#database = new PostgresDatabase('views.store', options);
    this.sql = sqlOfTables(this.#database.schema, VIEWS);
  }

  /** Makes its tables, or brings them up to date; many may call it at once. @throws StoreUnavailableError */
  createTables(): Promise<void> {
    return createTables(this.#database, VIEWS);
  }

  /**
   * Checks that its tables are there.
   *
   * @throws StoreUnavailableError when Postgres does not answer.
   * @throws MissingTablesError, InvalidOptionsError where it refuses us.
   */
  verify(): Promise<void> {
    return verifyTables(this.#database, VIEWS);
  }

  async generations({ view, version }: ViewRef): Promise<readonly Generation[]> {
    const { schema } = this.#database;
    const rows = await this.#database.query(
      `SELECT g.id, g.state, p.topic, p.partition, p.next_offset::text
       FROM ${schema}.view_generations g LEFT JOIN ${schema}.view_positions p ON p.generation = g.id
       WHERE g.view = $1 AND g.version = $2 AND g.state <> 'retired'`,
      [view, version],
    );
    const ids = [...new Set(rows.map(({ id }) => textOf(id)))];
    return ids.map((id) => {
      const own = rows.filter((row) => row.id === id);
      const state = own[0]?.state === 'live' ? 'live' : 'building';
      return { id, state, positions: own.flatMap(positionIn) };
    });
  }

  async begin({ view, version }: ViewRef, id: string): Promise<string> {
    const { schema } = this.#database;
    for (;;) {
      const [row] = await this.#database.query(
        `WITH made AS (
           INSERT INTO ${schema}.view_generations (id, view, version, state)
           VALUES ($1, $2, $3, 'building') ON CONFLICT DO NOTHING RETURNING id
         )
         SELECT id FROM made UNION ALL
         SELECT id FROM ${schema}.view_generations
         WHERE view = $2 AND version = $3 AND state = 'building' LIMIT 1`,
        [id, view, version],
      );
      // None: somebody else's was made, or swapped in, while this ran.
      if (row !== undefined) return textOf(row.id);
    }
  }

  change(place: ChangePlace, keys: readonly string[], work: ViewWork): Promise<ChangeAnswer> {
    return changeRows(this.#database, place, keys, work);
  }

  freeze(generation: string, forMs: number): Promise<boolean> {
    return freeze(this.#database, generation, forMs);
  }

  swap(view: ViewRef, id: string, known: readonly ViewPosition[]): Promise<boolean> {
    return swapIn(this.#database, view, id, known);
  }

  async read(
    { view, version }: ViewRef,
    keys: readonly string[],
  ): Promise<ReadonlyMap<string, StoredRow> | null> {
    const { schema } = this.#database;
    const rows = await this.#database.query(
      `SELECT r.key, r.value::text AS json, r.version
       FROM ${schema}.view_generations g
       LEFT JOIN ${schema}.view_rows r ON r.generation = g.id AND r.key = ANY ($3::text[])
       WHERE g.view = $1 AND g.version = $2 AND g.state = 'live'`,
      // No row has a key with a zero character, which Postgres would not even take.
      [view, version, keys.filter((key) => !key.includes('\0'))],
    );
    if (rows.length === 0) return null;
    return new Map(keyedRows(rows).map(({ key, ...row }) => [key, row]));
  }

  async list(
    { view, version }: ViewRef,
    { prefix, after, where, limit }: RowQuery,
  ): Promise<readonly KeyedRow[] | null> {
    const { schema } = this.#database;
    const rows = await this.#database.query(
      `SELECT live.id, r.key, r.json, r.version
       FROM (SELECT (
         SELECT id FROM ${schema}.view_generations WHERE view = $1 AND version = $2 AND state = 'live'
       ) AS id) live
       LEFT JOIN LATERAL (
         SELECT key, value::text AS json, version FROM ${schema}.view_rows
         WHERE generation = live.id AND key >= $3 AND key > $4 AND starts_with(key, $3)
           -- The last character there is: what begins with the prefix comes before it.
           AND ($3 = '' OR key < $3 || repeat(chr(1114111), 2))
           AND ($5::jsonb = '{}' OR value @> $5::jsonb)
         ORDER BY key LIMIT $6
       ) r ON true
       ORDER BY r.key`,
      [view, version, prefix, after, JSON.stringify(where), limit],
    );
    return rows[0]?.id === null ? null : keyedRows(rows);
  }

  sweep(view: ViewRef, unusedMs: number): Promise<boolean> {
    return sweep(this.#database, view, unusedMs);
  }

  /** Closes the pool that it has opened itself. */
  close(): Promise<void> {
    return this.#database.close();
  }
}

/** None where a generation has none. */
function positionIn({ topic, partition, next_offset: offset }: Row): ViewPosition[] {
  if (topic === null) return [];
  return [{ topic: textOf(topic), partition: Number(partition), offset: BigInt(textOf(offset)) }];
}

function keyedRows(rows: readonly Row[]): KeyedRow[] {
  return rows.flatMap(({ key, json, version }) =>
    key === null ? [] : [{ key: textOf(key), json: textOf(json), version: Number(version) }],
  );
}
