import { setTimeout as wait } from 'node:timers/promises';
import { beforeAll, it } from '@jest/globals';

import { PostgresIdempotencyStore } from '../../lib/postgres/index.js';
import { idempotencyStoreConformance } from '../../lib/testing/index.js';
import { describeRealPostgres, postgresPool } from '../support/real-postgres.js';

/** Long enough for a call on a busy machine. */
const UNIT_MS = 150;

describeRealPostgres(
  'PostgresIdempotencyStore keeps the promises of an idempotency store',
  (url) => {
    let pool: ReturnType<typeof postgresPool>;
    beforeAll(async () => {
      pool = postgresPool(url(), { max: 20 });
      await new PostgresIdempotencyStore({ pool }).createTables();
    });

    const cases = idempotencyStoreConformance({
      unitMs: UNIT_MS,
      create: () => {
        const peers = [1, 2, 3].map(() => new PostgresIdempotencyStore({ pool }));
        return Promise.resolve({
          store: new PostgresIdempotencyStore({ pool }),
          peers,
          advance: (ms) => wait(ms),
        });
      },
    });
    it.each(cases)('$name', ({ run }) => run());
  },
);
