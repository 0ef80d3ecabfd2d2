import { expect, it } from '@jest/globals';
import { onCleanup } from '../../support/cleanup.js';
import { eventually } from '../../support/eventually.js';
import {
  createDatabase,
  describeRealPostgres,
  postgresPool,
  startPostgres,
} from '../../support/real-postgres.js';

describeRealPostgres('a Postgres of the test’s own', (url) => {
  it('has an empty database of UTF-8', async () => {
    const pool = postgresPool(url());
    const { rows } = await pool.query<{ encoding: string; tables: string }>(
      `SELECT current_setting('server_encoding') AS encoding,
              (SELECT count(*) FROM pg_tables WHERE schemaname = 'public') AS tables`,
    );
    expect(rows).toEqual([{ encoding: 'UTF8', tables: '0' }]);
  });

  it('keeps what was committed when it is killed, and nothing else', async () => {
    const server = await startPostgres();
    const pool = postgresPool(await createDatabase(server.urlOf('postgres')));
    await pool.query('CREATE TABLE notes (text text)');
    const open = await pool.connect();
    open.on('error', () => undefined);
    onCleanup(() => {
      open.release(true);
    });
    await open.query('BEGIN');
    await open.query("INSERT INTO notes VALUES ('open')");
    await pool.query("INSERT INTO notes VALUES ('committed')");

    await server.shutDown('SIGKILL');
    // Its processes notice one by one that it is gone.
    await eventually(() =>
      pool.query('SELECT 1').then(
        () => false,
        () => true,
      ),
    );
    await server.boot();

    const { rows } = await eventually(() => pool.query('SELECT text FROM notes'));
    expect(rows).toEqual([{ text: 'committed' }]);
  }, 60_000);
});
