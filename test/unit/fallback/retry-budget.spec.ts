import { describe, expect, it } from '@jest/globals';

import { RetryBudget } from '../../../lib/fallback/retry-budget.js';

/** How many retries there are left. */
function spendAll(budget: RetryBudget): number {
  let spent = 0;
  while (budget.spend()) spent++;
  return spent;
}

describe('a retry budget', () => {
  it('lets retries add no more than their share to the calls, beyond what was saved', () => {
    const budget = new RetryBudget(0.25);
    expect(spendAll(budget)).toBe(10);
    for (let n = 0; n < 20; n++) budget.earn();
    expect(spendAll(budget)).toBe(5);
    expect(spendAll(budget)).toBe(0);
  });

  it('saves up ten, however long all goes well', () => {
    const budget = new RetryBudget(1);
    for (let n = 0; n < 1_000; n++) budget.earn();
    expect(spendAll(budget)).toBe(10);
  });

  it('has nothing to spend where retries have no share', () => {
    expect(new RetryBudget(0).spend()).toBe(false);
  });
});
