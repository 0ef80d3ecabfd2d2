import { beforeAll, describe } from '@jest/globals';
import pg from 'pg';
import { onCleanup } from './cleanup.js';
import { postgresBinaries, PostgresServer } from './postgres-server.js';
import { uniqueName } from './unique-topic.js';

/**
 * A `describe` for tests against a real Postgres, with the URL of an empty database of the block's own:
 * on the server of `POSTGRES_URL`, else on one started for the block. Without Postgres the block is skipped
 * and says so, unless `REQUIRE_REAL_SERVICES=1` forbids that. Tests that kill or freeze it start their own
 * (`startPostgres`), inside such a block.
 *
 * `url` answers by the time the first hook or test runs.
 */
export function describeRealPostgres(name: string, tests: (url: () => string) => void): void {
  const given = process.env.POSTGRES_URL;
  const possible = given !== undefined || binaries !== null;
  if (!possible && process.env.REQUIRE_REAL_SERVICES !== '1') {
    describe.skip(`${name} (skipped: postgres not installed)`, () => {
      tests(() => '');
    });
    return;
  }
  describe(name, () => {
    let url = '';
    beforeAll(async () => {
      url = await createDatabase(given ?? (await startPostgres()).urlOf('postgres'));
    }, 60_000);
    tests(() => url);
  });
}

const binaries = await postgresBinaries();

/** A Postgres of the test's own; stopped after the test or file. Settings as `PostgresServer.start` takes them. */
export async function startPostgres(...settings: string[]): Promise<PostgresServer> {
  const server = await PostgresServer.start(...settings);
  onCleanup(() => server.stop());
  return server;
}

/** A pool of the test's own; closed after the test or file. */
export function postgresPool(url: string, options: pg.PoolConfig = {}): pg.Pool {
  const pool = new pg.Pool({ connectionString: url, ...options });
  pool.on('error', () => undefined);
  onCleanup(() => pool.end());
  return pool;
}

/** An empty database on the server of a URL; answers its own URL. Removed after the test or file. */
export async function createDatabase(serverUrl: string): Promise<string> {
  const name = uniqueName('db').replaceAll('-', '_');
  await runSql(serverUrl, `CREATE DATABASE ${name}`);
  onCleanup(async () => {
    // A server that was killed takes it along.
    await runSql(serverUrl, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`).catch(() => undefined);
  });
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  return url.href;
}

async function runSql(url: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => undefined);
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}
