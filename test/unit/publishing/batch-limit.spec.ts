import { describe, expect, it } from '@jest/globals';
import { BatchLimit } from '../../../lib/publishing/batch-limit.js';

const records = (count: number, bytes = 1) => Array.from({ length: count }, () => ({ bytes }));

describe('BatchLimit', () => {
  it('takes up to the most records', () => {
    const limit = new BatchLimit(500);
    expect(limit.fit([])).toBe(0);
    expect(limit.fit(records(3))).toBe(3);
    expect(limit.fit(records(501))).toBe(500);
  });

  it('takes up to a mebibyte, and a larger record alone', () => {
    const limit = new BatchLimit(500);
    expect(limit.fit(records(5, 2 ** 18))).toBe(4);
    expect(limit.fit(records(5, 2 ** 18 + 1))).toBe(3);
    expect(limit.fit(records(2, 2 ** 21))).toBe(1);
  });

  it('halves with each refusal, down to one record', () => {
    const limit = new BatchLimit(500);
    const taken: number[] = [];
    for (let i = 0; i < 6; i++) {
      const count = limit.fit(records(20));
      taken.push(count);
      limit.refused(count);
    }
    expect(taken).toEqual([20, 10, 5, 2, 1, 1]);
  });

  it('grows again with each success, never beyond the most', () => {
    const limit = new BatchLimit(500);
    limit.refused(2);
    const taken: number[] = [];
    for (let i = 0; i < 100; i++) {
      taken.push(limit.fit(records(1000)));
      limit.accepted();
    }
    expect(taken.slice(0, 4)).toEqual([1, 2, 3, 4]);
    expect(taken.at(-1)).toBe(500);
  });
});
