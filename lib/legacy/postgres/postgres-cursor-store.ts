import {
  PostgresDatabase,
  textOf,
  type PostgresOptions,
} from '../../postgres/postgres-database.js';
import { createTables, sqlOfTables, verifyTables } from '../../postgres/tables.js';
import type { CursorStore } from '../cursor-store.js';
import { CURSORS } from './cursor-tables.js';

/**
 * Cursors of feeds in Postgres (14 or later), shared by all instances of a service: whoever polls goes on where
 * the one before stood. Cursors are texts without a zero character, which Postgres does not keep.
 *
 *     KafkaEventsModule.forRoot({ legacy: { feeds: [CustomerFeed], cursors: new PostgresCursorStore({ pool }) } })
 */
export class PostgresCursorStore implements CursorStore {
  /** What `createTables` runs, for a migration of the application's own. */
  readonly sql: string;
  readonly #database: PostgresDatabase;

  /** @throws InvalidOptionsError */
  constructor(options: PostgresOptions) {
    this.#database = new PostgresDatabase('legacy.cursors', options);
    this.sql = sqlOfTables(this.#database.schema, CURSORS);
  }

  /** Makes its table, or brings it up to date; many may call it at once. @throws StoreUnavailableError */
  createTables(): Promise<void> {
    return createTables(this.#database, CURSORS);
  }

  /** @throws StoreUnavailableError, MissingTablesError, InvalidOptionsError where Postgres refuses us. */
  verify(): Promise<void> {
    return verifyTables(this.#database, CURSORS);
  }

  async read(feed: string): Promise<string | null> {
    const { schema } = this.#database;
    const asked = `SELECT cursor FROM ${schema}.feed_cursors WHERE feed = $1`;
    const [row] = await this.#database.query(asked, [feed]);
    return row === undefined ? null : textOf(row.cursor);
  }

  async write(feed: string, cursor: string): Promise<void> {
    await this.#database.query(
      `INSERT INTO ${this.#database.schema}.feed_cursors (feed, cursor) VALUES ($1, $2)
       ON CONFLICT (feed) DO UPDATE SET cursor = excluded.cursor, noted_at = now()`,
      [feed, cursor],
    );
  }

  /** Closes the pool that it has opened itself. */
  close(): Promise<void> {
    return this.#database.close();
  }
}
