import type { EventBatch } from '../../consuming/batch/event-batch.js';
import type { ConsumedEvent } from '../../consuming/consumed-event.js';
import { systemClock, type Clock } from '../../contracts/clock.js';
import type { SqlTransaction } from '../../contracts/sql-transaction.js';
import { StoreUnavailableError } from '../../kafka-events.errors.js';
import {
  PostgresDatabase,
  type PostgresOptions,
  type Row,
} from '../../postgres/postgres-database.js';
import { createTables, sqlOfTables, verifyTables } from '../../postgres/tables.js';
import type {
  ClaimAnswer,
  ClaimRequest,
  Completion,
  IdempotencyStore,
  Refresh,
  Release,
  Renewal,
  Start,
} from '../idempotency-store.js';
import { hashOf } from './claim-hash.js';
import { CLAIMS } from './claims-tables.js';
import { completeIn } from './complete-in.js';
import { Sweeper } from './sweeper.js';

export interface PostgresIdempotencyStoreOptions extends PostgresOptions {
  /** @internal */
  readonly clock?: Clock;
}

/**
 * The idempotency store of a service whose effects are in Postgres (14 or later): claims and marks live
 * beside them, and a handler can have its mark commit with its effect (`completeIn`).
 *
 * What is asked together is one statement. A mark takes about 450 bytes, its indexes included.
 *
 *     new PostgresIdempotencyStore({ connectionString: process.env.DATABASE_URL })
 */
export class PostgresIdempotencyStore implements IdempotencyStore {
  readonly name = 'postgres';
  readonly inProcess = false;
  /** What `createTables` runs, for a migration of the application's own. */
  readonly sql: string;
  readonly #database: PostgresDatabase;
  readonly #sweeper: Sweeper;

  /** @throws InvalidOptionsError */
  constructor(options: PostgresIdempotencyStoreOptions) {
    this.#database = new PostgresDatabase('idempotency.store', options);
    this.sql = sqlOfTables(this.#database.schema, CLAIMS);
    this.#sweeper = new Sweeper((atMost) => this.#sweep(atMost), options.clock ?? systemClock);
  }

  /** Makes its tables, or brings them up to date; many may call it at once. @throws StoreUnavailableError */
  createTables(): Promise<void> {
    return createTables(this.#database, CLAIMS);
  }

  /**
   * Checks that its tables are there.
   *
   * @throws StoreUnavailableError when Postgres does not answer.
   * @throws MissingTablesError, InvalidOptionsError where it refuses us.
   */
  verify(): Promise<void> {
    return verifyTables(this.#database, CLAIMS);
  }

  /**
   * Completes the claim of an event inside the handler's own transaction, so that its effects and its
   * mark are committed together or not at all. For a batch: of every record that nothing was decided of.
   *
   *     await inTransaction(pool, async (tx) => {
   *       await store.completeIn(tx, event);
   *       await tx.query('UPDATE accounts SET …');
   *     });
   *
   * Call it once in a transaction, first: from then on nobody takes the event over. Where the claim is
   * not ours any more the transaction has failed, and cannot be committed whoever catches the error.
   *
   * @throws ClaimLostError when the event is done, or somebody else's: let it through.
   * @throws NoClaimError when the event has no claim in this store.
   */
  completeIn(tx: SqlTransaction, event: ConsumedEvent | EventBatch): Promise<void> {
    return completeIn(tx, event, this.#database.schema, this);
  }

  async claim(requests: readonly ClaimRequest[]): Promise<readonly ClaimAnswer[]> {
    this.#sweeper.nudge();
    const answers = await this.#call(
      'claim',
      requests,
      ['bytea', 'text', 'bigint', 'int', 'bigint'],
      [
        (request) => hashOf(request.key),
        (request) => request.token,
        (request) => whole(request.leaseMs),
        (request) => request.level,
        (request) => whole(request.retentionMs),
      ],
    );
    return answers.map(claimAnswer);
  }

  async complete(completions: readonly Completion[]): Promise<readonly boolean[]> {
    const types = ['bytea', 'text', 'text', 'int', 'bigint'];
    const answers = await this.#call('complete', completions, types, [
      ({ key }) => hashOf(key),
      ({ token }) => token,
      ({ state }) => state,
      ({ level }) => level,
      ({ retentionMs }) => whole(retentionMs),
    ]);
    return answers.map(isOurs);
  }

  async release(releases: readonly Release[]): Promise<void> {
    await this.#tell(
      'release',
      releases,
      ['bytea', 'text', 'int', 'bigint'],
      [
        ({ key }) => hashOf(key),
        ({ token }) => token,
        ({ attempts }) => attempts,
        ({ retentionMs }) => whole(retentionMs),
      ],
    );
  }

  async renew(renewals: readonly Renewal[]): Promise<readonly boolean[]> {
    const answers = await this.#call(
      'renew',
      renewals,
      ['bytea', 'text', 'bigint'],
      [({ key }) => hashOf(key), ({ token }) => token, ({ leaseMs }) => whole(leaseMs)],
    );
    return answers.map(isOurs);
  }

  async start(starts: readonly Start[]): Promise<readonly boolean[]> {
    const answers = await this.#call(
      'start',
      starts,
      ['bytea', 'text', 'int'],
      [({ key }) => hashOf(key), ({ token }) => token, ({ alone }) => (alone ? 2 : 1)],
    );
    return answers.map(isOurs);
  }

  async refresh(refreshes: readonly Refresh[]): Promise<void> {
    await this.#tell(
      'refresh',
      refreshes,
      ['bytea', 'bigint'],
      [({ key }) => hashOf(key), ({ retentionMs }) => whole(retentionMs)],
    );
  }

  async close(): Promise<void> {
    await this.#sweeper.close();
    await this.#database.close();
  }

  /** Calls a function that answers a row for each request; the rows in the order of the requests. */
  async #call<Request>(
    name: string,
    requests: readonly Request[],
    types: readonly string[],
    columns: readonly ((request: Request) => unknown)[],
  ): Promise<readonly Row[]> {
    const rows = await this.#tell(name, requests, types, columns);
    const ordered: Row[] = [];
    for (const row of rows) ordered[Number(row.place) - 1] = row;
    if (rows.length === requests.length && Object.keys(ordered).length === rows.length)
      return ordered;
    throw new StoreUnavailableError(`Postgres gave ${name} an answer we do not know`);
  }

  async #tell<Request>(
    name: string,
    requests: readonly Request[],
    types: readonly string[],
    columns: readonly ((request: Request) => unknown)[],
  ): Promise<readonly Row[]> {
    if (requests.length === 0) return [];
    const parameters = types.map((type, i) => `$${String(i + 1)}::${type}[]`).join(', ');
    return this.#database.query(
      `SELECT * FROM ${this.#database.schema}.${name}(${parameters})`,
      columns.map((column) => requests.map(column)),
    );
  }

  async #sweep(atMost: number): Promise<number> {
    const asked = `SELECT ${this.#database.schema}.sweep($1) AS seen`;
    const [row] = await this.#database.query(asked, [atMost]);
    return Number(row?.seen ?? 0);
  }
}

function whole(ms: number): number {
  return Math.ceil(ms);
}

function isOurs({ ours }: Row): boolean {
  return ours === true;
}

function claimAnswer({ answer, rest_ms, failed, crashed, crashed_alone }: Row): ClaimAnswer {
  switch (answer) {
    case 'claimed': {
      const claimed = { status: answer, attempts: Number(failed) } as const;
      if (crashed === null) return claimed;
      const suspicion = { crashes: Number(crashed), crashesAlone: Number(crashed_alone) };
      return { ...claimed, suspicion };
    }
    case 'in-progress':
      return { status: answer, leaseMs: Number(rest_ms) };
    case 'done':
    case 'parked':
    case 'dead':
      return { status: answer };
    default:
      throw new StoreUnavailableError('Postgres gave a claim an answer we do not know');
  }
}
