import { describe, expect, it } from '@jest/globals';
import { seededRandom } from '../../support/seeded-random.js';

describe('seededRandom', () => {
  it('repeats itself for a seed and differs between seeds', () => {
    const take = (seed: number) => Array.from({ length: 5 }, seededRandom(seed));
    expect(take(7)).toEqual(take(7));
    expect(take(7)).not.toEqual(take(8));
  });

  it('spreads evenly over [0, 1)', () => {
    const numbers = Array.from({ length: 10_000 }, seededRandom(1));
    expect(Math.min(...numbers)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...numbers)).toBeLessThan(1);
    expect(numbers.reduce((sum, n) => sum + n, 0) / numbers.length).toBeCloseTo(0.5, 1);
  });
});
