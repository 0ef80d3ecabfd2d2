import { beforeAll, it } from '@jest/globals';

import { PostgresCursorStore } from '../../lib/postgres/index.js';
import { cursorStoreConformance } from '../../lib/testing/index.js';
import { describeRealPostgres, postgresPool } from '../support/real-postgres.js';

describeRealPostgres('PostgresCursorStore keeps the promises of a cursor store', (url) => {
  let pool: ReturnType<typeof postgresPool>;
  beforeAll(async () => {
    pool = postgresPool(url());
    await new PostgresCursorStore({ pool }).createTables();
  });

  const create = () => Promise.resolve(new PostgresCursorStore({ pool, commandTimeoutMs: 10_000 }));
  it.each(cursorStoreConformance({ create, createPeer: create }))('$name', ({ run }) => run());
});
