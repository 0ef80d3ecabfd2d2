import pg, { type Pool, type PoolClient } from 'pg';

import { systemClock } from '../contracts/clock.js';
import { withinMs } from '../contracts/within.js';
import { InvalidOptionsError, StoreUnavailableError, toError } from '../kafka-events.errors.js';
import { inTransaction } from './in-transaction.js';
import { fromPostgres } from './postgres-error.js';

/** Where the tables are; one of `pool` and `connectionString` must be given. */
export interface PostgresOptions {
  /**
   * A pool of the application's, used as it is and left open. Handlers that hold all its clients hold up
   * claims and the outbox, too: give them a pool of their own where that may be.
   */
  readonly pool?: Pool;
  /** Opens a pool of up to four connections, which is closed with the store. */
  readonly connectionString?: string;
  /** Default `kafka_events`. */
  readonly schema?: string;
  /** How long a call may wait for a connection and its answer together, in milliseconds. Default 2,000. */
  readonly commandTimeoutMs?: number;
}

/** A row as it came: who asked looks at what is in it. */
export type Row = Readonly<Record<string, unknown>>;

/** Runs a statement of a transaction. */
export type Query = (text: string, values: readonly unknown[]) => Promise<readonly Row[]>;

/** One at the most, as the digits of a 64-bit integer. */
export interface StepsLock {
  readonly sharing?: string;
  readonly alone?: string;
}

/** A column of text, or of numbers too large for JavaScript's. @throws TypeError for any other. */
export function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  throw new TypeError(`Postgres answered a ${typeof value} in place of a text`);
}

const DEFAULT_SCHEMA = 'kafka_events';
const DEFAULT_COMMAND_TIMEOUT_MS = 2_000;
const OWN_CONNECTIONS = 4;

/** What Postgres takes without quotes, and whatever a connection's settings, means the same. */
const PLAIN_NAME = /^[a-z_][a-z0-9_]{0,62}$/;

/**
 * The Postgres of a store: one statement a call, each within its time, each on any connection, so that
 * a pooler may stand between.
 */
export class PostgresDatabase {
  readonly schema: string;
  readonly pool: Pool;
  readonly #isOwn: boolean;
  readonly #timeoutMs: number;
  #closing: Promise<void> | null = null;

  /** @param store what messages call it, for example `idempotency.store`. @throws InvalidOptionsError */
  constructor(
    private readonly store: string,
    options: PostgresOptions,
  ) {
    const { pool, connectionString, schema = DEFAULT_SCHEMA } = options;
    refuseWrong(store, options);
    this.schema = schema;
    this.#timeoutMs = options.commandTimeoutMs ?? DEFAULT_COMMAND_TIMEOUT_MS;
    this.#isOwn = pool === undefined;
    this.pool = pool ?? new pg.Pool({ connectionString, max: OWN_CONNECTIONS });
    // A pool tells of idle connections that break; where nobody listens, that ends the process.
    if (!this.pool.listeners('error').includes(ignore)) this.pool.on('error', ignore);
  }

  /**
   * Runs one statement.
   *
   * @throws StoreUnavailableError, MissingTablesError, or InvalidOptionsError where Postgres refuses us.
   */
  async query(text: string, values: readonly unknown[] = []): Promise<readonly Row[]> {
    const deadline = performance.now() + this.#timeoutMs;
    const client = await this.#connect();
    const left = Math.max(1, Math.ceil(deadline - performance.now()));
    client.on('error', ignore);
    let broken: Error | undefined;
    try {
      const config = { text, values: [...values], query_timeout: left };
      const { rows } = await client.query<Row>(config);
      return rows;
    } catch (thrown) {
      const error = fromPostgres(thrown, this.store);
      // Whatever is still on its way on that connection, nobody reads it any more.
      if (error instanceof StoreUnavailableError) broken = error;
      throw error;
    } finally {
      client.removeListener('error', ignore);
      client.release(broken);
    }
  }

  /** Runs statements in one transaction, for as long as they take. @throws as `query` does */
  async transaction(work: (tx: PoolClient) => Promise<void>): Promise<void> {
    try {
      await inTransaction(this.pool, work);
    } catch (thrown) {
      throw fromPostgres(thrown, this.store);
    }
  }

  /**
   * Runs the statements of one call in a transaction, all of them within the time of a call. What `work` throws
   * rolls it back, and is thrown on as it is.
   *
   * @param lock a number to lock until the transaction ends, shared or alone; taken before the first statement.
   * @throws as `query` does
   */
  async steps<T>(work: (query: Query) => Promise<T>, lock: StepsLock = {}): Promise<T> {
    const deadline = performance.now() + this.#timeoutMs;
    const client = await this.#connect();
    const query = async (text: string, values?: readonly unknown[]): Promise<readonly Row[]> => {
      const left = Math.max(1, Math.ceil(deadline - performance.now()));
      const config = { text, query_timeout: left, ...(values && { values: [...values] }) };
      try {
        return (await client.query<Row>(config)).rows;
      } catch (thrown) {
        throw fromPostgres(thrown, this.store);
      }
    };
    client.on('error', ignore);
    let broken: Error | undefined;
    try {
      // One message, whatever the session's default is.
      await query(`BEGIN ISOLATION LEVEL READ COMMITTED; ${lockStatement(lock)}`);
      const answer = await work(query);
      await query('COMMIT');
      return answer;
    } catch (error) {
      if (error instanceof StoreUnavailableError) broken = error;
      else await query('ROLLBACK').catch((thrown: unknown) => (broken = toError(thrown)));
      throw error;
    } finally {
      client.removeListener('error', ignore);
      client.release(broken);
    }
  }

  /** Closes a pool of its own. May be called twice. */
  close(): Promise<void> {
    this.#closing ??= this.#isOwn ? this.pool.end() : Promise.resolve();
    return this.#closing;
  }

  async #connect(): Promise<PoolClient> {
    const connecting = this.pool.connect();
    if (!(await withinMs(connecting, this.#timeoutMs, systemClock))) {
      connecting.then(
        (client) => {
          client.release();
        },
        () => undefined,
      );
      const waited = `no connection within ${String(this.#timeoutMs)} ms`;
      throw new StoreUnavailableError(`Postgres does not answer: ${waited}`);
    }
    return connecting.catch((thrown: unknown) => {
      throw fromPostgres(thrown, this.store);
    });
  }
}

function lockStatement({ sharing, alone }: StepsLock): string {
  if (sharing !== undefined) return `SELECT pg_advisory_xact_lock_shared(${sharing})`;
  return alone === undefined ? '' : `SELECT pg_advisory_xact_lock(${alone})`;
}

function refuseWrong(store: string, { pool, connectionString, schema }: PostgresOptions): void {
  const problems = [
    ...((pool === undefined) === (connectionString === undefined)
      ? [{ option: store, problem: 'needs either a pool or a connectionString' }]
      : []),
    ...(schema !== undefined && !PLAIN_NAME.test(schema)
      ? [{ option: `${store}.schema`, problem: 'must be small letters, digits and underscores' }]
      : []),
  ];
  if (problems.length > 0) throw new InvalidOptionsError(problems);
}

function ignore(): void {
  // Whoever runs a statement is told by its promise.
}
