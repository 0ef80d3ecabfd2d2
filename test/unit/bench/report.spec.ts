import { describe, expect, it } from '@jest/globals';

import { jsonOf, markdownOf, ratios, type Table } from '../../../bench/report.js';

const TABLE: Table = {
  title: 'Consuming',
  conditions: { records: 300, rounds: 3 },
  rows: [
    { name: 'ours, records/s', values: [90_000, 70_000.4, 80_000], digits: 0 },
    { name: 'ours / bare', values: [0.9, 0.7, 0.8], digits: 2 },
  ],
};

describe('the report of a benchmark', () => {
  it('compares within each round', () => {
    expect(ratios([10, 30], [5, 10])).toEqual([2, 3]);
    expect(ratios([10, 30], [5])[1]).toBeNaN();
  });

  it('is a Markdown table of medians, minima and maxima', () => {
    expect(markdownOf(TABLE).split('\n')).toEqual([
      '**Consuming** (records 300, rounds 3)',
      '',
      '| | median | min | max |',
      '|---|--:|--:|--:|',
      '| ours, records/s | 80,000 | 70,000 | 90,000 |',
      '| ours / bare | 0.80 | 0.70 | 0.90 |',
      '',
    ]);
  });

  it('is JSON with every round', () => {
    expect(JSON.parse(jsonOf([TABLE], { node: 'v20' }))).toEqual({
      machine: { node: 'v20' },
      results: [
        {
          title: 'Consuming',
          conditions: { records: 300, rounds: 3 },
          rows: [
            {
              name: 'ours, records/s',
              median: 80_000,
              min: 70_000.4,
              max: 90_000,
              rounds: [90_000, 70_000.4, 80_000],
            },
            { name: 'ours / bare', median: 0.8, min: 0.7, max: 0.9, rounds: [0.9, 0.7, 0.8] },
          ],
        },
      ],
    });
  });
});
