import { setTimeout as wait } from 'node:timers/promises';
import { beforeAll, it } from '@jest/globals';

import { PostgresIdempotencyStore } from '../../lib/postgres/index.js';
import { idempotencyStoreConformance } from '../../lib/testing/index.js';
import { describeRealPostgres, postgresPool } from '../support/real-postgres.js';

/** Long enough for a call on a busy machine. */
const UNIT_MS = 150;
/** A hundred calls at once share twenty connections. */
const PATIENCE_MS = 20_000;

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
        const peers = [1, 2, 3].map(
          () => new PostgresIdempotencyStore({ pool, commandTimeoutMs: PATIENCE_MS }),
        );
        return Promise.resolve({
          store: new PostgresIdempotencyStore({ pool, commandTimeoutMs: PATIENCE_MS }),
          peers,
          advance: (ms) => wait(ms),
        });
      },
    });
    it.each(cases)('$name', ({ run }) => run());
  },
);
