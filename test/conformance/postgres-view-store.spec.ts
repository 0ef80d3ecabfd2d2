import { setTimeout as wait } from 'node:timers/promises';
import { beforeAll, it } from '@jest/globals';

import { PostgresViewStore } from '../../lib/postgres/index.js';
import { viewStoreConformance } from '../../lib/testing/index.js';
import { describeRealPostgres, postgresPool } from '../support/real-postgres.js';

describeRealPostgres('PostgresViewStore keeps the promises of a view store', (url) => {
  let pool: ReturnType<typeof postgresPool>;
  beforeAll(async () => {
    pool = postgresPool(url(), { max: 20 });
    await new PostgresViewStore({ pool }).createTables();
  });

  const cases = viewStoreConformance({
    // Long enough for a call on a busy machine.
    unitMs: 300,
    create: () => {
      const store = () => new PostgresViewStore({ pool, commandTimeoutMs: 10_000 });
      return Promise.resolve({
        store: store(),
        peers: [store(), store(), store()],
        advance: (ms) => wait(ms),
      });
    },
  });
  it.each(cases)('$name', ({ run }) => run());
});
