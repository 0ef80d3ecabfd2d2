import { describe, expect, it } from '@jest/globals';

import { checkDistribution, keysOf } from '../../../bench/hot-keys/key-distribution.js';

const RUN = { records: 12_000, keys: 1_000, seed: 1 };

describe('the keys of a benchmark', () => {
  it('are Zipf’s: the nth has 1/n of what the first has', () => {
    const keys = keysOf('Zipf', RUN);
    const count = (key: number) => keys.filter((each) => each === key).length;
    // 1 / (1 + 1/2 + … + 1/1000)
    expect(count(0) / RUN.records).toBeCloseTo(0.134, 1);
    expect(count(0) / count(4)).toBeGreaterThan(4);
    expect(count(0) / count(4)).toBeLessThan(6);
    expect(Math.max(...keys)).toBeLessThan(RUN.keys);
  });

  it('are the same for the same seed', () => {
    expect(keysOf('Zipf', RUN)).toEqual(keysOf('Zipf', RUN));
    expect(keysOf('Zipf', RUN)).not.toEqual(keysOf('Zipf', { ...RUN, seed: 2 }));
  });

  it('are looked at before a figure is believed', () => {
    for (const [distribution, other] of [
      ['Zipf', 'uniform'],
      ['uniform', 'Zipf'],
    ] as const) {
      const keys = keysOf(distribution, RUN);
      expect(() => {
        checkDistribution(distribution, keys, RUN.keys);
      }).not.toThrow();
      expect(() => {
        checkDistribution(other, keys, RUN.keys);
      }).toThrow(`not ${other}`);
    }
  });
});
