import { setTimeout as wait } from 'node:timers/promises';
import { expect, it } from '@jest/globals';
import fc from 'fast-check';

import { PostgresViewStore } from '../../../lib/postgres/index.js';
import { describeRealPostgres, postgresPool } from '../../support/real-postgres.js';
import { viewScenario } from '../../support/view-scenario.js';

const MOVES = { minLength: 20, maxLength: 100, size: 'max' } as const;

describeRealPostgres('a view in Postgres, whatever happens', (url) => {
  it('has each event of its log once and in order, never goes back, and is rebuilt to the same', async () => {
    const pool = postgresPool(url(), { max: 20 });
    let runs = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(viewScenario.move, MOVES), async (moves) => {
        const schema = `run_${String(runs++)}`;
        const store = new PostgresViewStore({ pool, schema, commandTimeoutMs: 10_000 });
        await store.createTables();
        const time = { freezeMs: 250, advance: (ms: number) => wait(ms) };
        const scenario = await viewScenario.begin(store, time);
        for (const move of moves) await scenario.play(move);
        await scenario.end();
      }),
      { numRuns: 12, endOnFailure: true },
    );
    expect(runs).toBeGreaterThan(0);
  }, 180_000);
});
