import type { SqlTransaction } from '../../contracts/sql-transaction.js';
import { StoreUnavailableError } from '../../kafka-events.errors.js';
import type { WireHeaders } from '../../kafka/records.js';
import {
  PostgresDatabase,
  type PostgresOptions,
  type Row,
} from '../../postgres/postgres-database.js';
import { createTables, sqlOfTables, verifyTables } from '../../postgres/tables.js';
import type {
  HeldRecord,
  OutboxRecord,
  OutboxStats,
  OutboxStore,
  PendingRecord,
} from '../outbox-store.js';
import { Listener } from './listener.js';
import { outboxStatements } from './outbox-statements.js';
import { OUTBOX } from './outbox-tables.js';

export interface PostgresOutboxOptions extends PostgresOptions {
  /**
   * Whether a commit wakes the relay at once, by NOTIFY. That makes commits of transactions with events
   * wait for each other a little; without it they are published within `pollMs`. Default true.
   */
  readonly notify?: boolean;
  /**
   * Whether the relay keeps a connection of the pool for LISTEN. False behind a pooler that lends
   * connections by transaction, where nothing would be heard. Default as `notify`.
   */
  readonly listen?: boolean;
}

/** What identifiers of Postgres hold. */
const MAX_NAME = 63;

/**
 * The outbox of a service whose data is in Postgres (14 or later): events are rows that are committed with
 * what they tell of, until the relay has published them.
 *
 *     KafkaEventsModule.forRoot({ outbox: { store: new PostgresOutbox({ pool }) } })
 */
export class PostgresOutbox implements OutboxStore {
  readonly name = 'postgres';
  /** What `createTables` runs, for a migration of the application's own. */
  readonly sql: string;
  readonly onAdded?: NonNullable<OutboxStore['onAdded']>;
  readonly #database: PostgresDatabase;
  readonly #statements: ReturnType<typeof outboxStatements>;

  /** @throws InvalidOptionsError */
  constructor(options: PostgresOutboxOptions) {
    const { notify = true, listen = notify } = options;
    this.#database = new PostgresDatabase('outbox.store', options);
    const { schema, pool } = this.#database;
    const channel = `${schema}_outbox`.slice(0, MAX_NAME);
    this.sql = sqlOfTables(schema, OUTBOX);
    this.#statements = outboxStatements(schema, notify ? channel : null);
    if (listen) {
      this.onAdded = (wake) => {
        const listener = new Listener(pool, channel, wake);
        return () => listener.stop();
      };
    }
  }

  /** Makes its tables, or brings them up to date; many may call it at once. @throws StoreUnavailableError */
  createTables(): Promise<void> {
    return createTables(this.#database, OUTBOX);
  }

  /** @throws StoreUnavailableError, MissingTablesError, InvalidOptionsError where Postgres refuses us. */
  verify(): Promise<void> {
    return verifyTables(this.#database, OUTBOX);
  }

  async add(tx: SqlTransaction, records: readonly OutboxRecord[]): Promise<void> {
    await tx.query(this.#statements.add, [JSON.stringify(records.map(toJson))]);
  }

  async store(records: readonly OutboxRecord[]): Promise<void> {
    await this.#database.query(this.#statements.add, [JSON.stringify(records.map(toJson))]);
  }

  async lead(owner: string, leaseMs: number): Promise<boolean> {
    const granted = await this.#database.query(this.#statements.lead, [owner, leaseMs]);
    return granted.length > 0;
  }

  async resign(owner: string): Promise<void> {
    await this.#database.query(this.#statements.resign, [owner]);
  }

  async next(
    owner: string,
    limit: number,
    exceptTopics: readonly string[],
  ): Promise<readonly PendingRecord[]> {
    const rows = await this.#database.query(this.#statements.next, [owner, limit, exceptTopics]);
    return rows.map(pendingRecord);
  }

  async remove(ids: readonly string[]): Promise<void> {
    await this.#database.query(this.#statements.remove, [ids]);
  }

  async hold(id: string, error: string): Promise<void> {
    await this.#database.query(this.#statements.hold, [id, error]);
  }

  async stats(): Promise<OutboxStats> {
    const [row] = await this.#database.query(this.#statements.stats);
    const { pending, oldest_ms: oldest, held } = row ?? {};
    const oldestAgeMs = typeof oldest === 'number' ? Math.max(0, oldest) : null;
    return { pending: Number(pending), oldestAgeMs, held: Number(held) };
  }

  async pendingFor(topic: string, key: Buffer): Promise<boolean> {
    const [row] = await this.#database.query(this.#statements.pendingFor, [topic, key]);
    return row?.pending === true;
  }

  async held(limit: number): Promise<readonly HeldRecord[]> {
    const rows = await this.#database.query(this.#statements.held, [limit]);
    return rows.map(heldRecord);
  }

  async discard(eventId: string): Promise<number> {
    return (await this.#database.query(this.#statements.discard, [eventId])).length;
  }

  close(): Promise<void> {
    return this.#database.close();
  }
}

function toJson({ eventId, eventType, topic, key, value, headers }: OutboxRecord) {
  const [inKey, inValue] = [key.toString('base64'), value.toString('base64')];
  const inHeaders = headers.map(([name, bytes]) => [name, bytes?.toString('base64') ?? null]);
  return {
    eventId,
    eventType,
    topic,
    key: inKey,
    value: inValue,
    headers: JSON.stringify(inHeaders),
  };
}

function pendingRecord(row: Row): PendingRecord {
  return {
    id: textOf(row, 'id'),
    eventId: textOf(row, 'event_id'),
    eventType: textOf(row, 'event_type'),
    topic: textOf(row, 'topic'),
    key: bytesOf(row, 'key'),
    value: bytesOf(row, 'value'),
    headers: headersOf(textOf(row, 'headers')),
  };
}

function heldRecord(row: Row): HeldRecord {
  return {
    eventId: textOf(row, 'event_id'),
    eventType: textOf(row, 'event_type'),
    topic: textOf(row, 'topic'),
    key: bytesOf(row, 'key').toString(),
    error: textOf(row, 'error'),
    attempts: Number(row.attempts),
    addedAt: row.added_at instanceof Date ? row.added_at : new Date(String(row.added_at)),
  };
}

function headersOf(json: string): WireHeaders {
  const given: unknown = JSON.parse(json);
  if (!Array.isArray(given)) throw notOurs('headers');
  return given.map((pair: unknown) => {
    if (!Array.isArray(pair)) throw notOurs('headers');
    const [name, value] = pair as unknown[];
    if (typeof name !== 'string') throw notOurs('headers');
    return [name, typeof value === 'string' ? Buffer.from(value, 'base64') : null] as const;
  });
}

function textOf(row: Row, column: string): string {
  const value = row[column];
  if (typeof value !== 'string') throw notOurs(column);
  return value;
}

function bytesOf(row: Row, column: string): Buffer {
  const value = row[column];
  if (!Buffer.isBuffer(value)) throw notOurs(column);
  return value;
}

function notOurs(column: string): StoreUnavailableError {
  return new StoreUnavailableError(`a row of the outbox has something else in "${column}"`);
}
