import { describe, expect, it } from '@jest/globals';
import type { LedgerEntry } from '../../chaos/ledger.js';
import { longestPauses, pausesIn } from '../../chaos/progress.js';

type Line = readonly [at: number, what: LedgerEntry['what'], eventId: string, partition?: number];

function pausesOf(...lines: Line[]) {
  const ledger = lines.map(([at, what, eventId, partition]) => ({
    ...{ at, what, eventId, by: 'somebody' },
    ...(partition === undefined ? {} : { partition }),
  }));
  return pausesIn(ledger, (eventId) => eventId !== 'poison', 100);
}

describe('the pauses of a run', () => {
  it('are between two effects while something waits', () => {
    const pauses = pausesOf(
      [0, 'sent', 'a', 3],
      [1, 'sent', 'b', 3],
      [50, 'effect', 'a'],
      [950, 'effect', 'b'],
    );
    expect(pauses).toEqual([{ partition: 3, from: 50, to: 950 }]);
  });

  it('begin when something begins to wait', () => {
    const pauses = pausesOf(
      [0, 'sent', 'a', 3],
      [50, 'effect', 'a'],
      [5_000, 'sent', 'b', 3],
      [5_150, 'effect', 'b'],
    );
    expect(pauses).toEqual([{ partition: 3, from: 5_000, to: 5_150 }]);
  });

  it('are of each partition by itself', () => {
    const pauses = pausesOf(
      [0, 'sent', 'a', 1],
      [0, 'sent', 'b', 2],
      [10, 'effect', 'b'],
      [60, 'sent', 'c', 2],
      [70, 'effect', 'c'],
      [200, 'effect', 'a'],
    );
    expect(pauses).toEqual([{ partition: 1, from: 0, to: 200 }]);
  });

  it('leave out what nobody handles, and what was handled before it was acknowledged', () => {
    const pauses = pausesOf(
      [0, 'sent', 'poison', 1],
      [10, 'effect', 'a'],
      [20, 'sent', 'a', 1],
      [900, 'sent', 'b', 1],
      [950, 'effect', 'b'],
    );
    expect(pauses).toEqual([]);
  });
});

describe('the longest pauses', () => {
  const happened = [
    { kind: 'broker-killed', from: 1_000, to: 4_000 },
    { kind: 'redis-killed', from: 20_000, to: 21_000 },
  ];

  it('are those that began under a fault or soon after it', () => {
    const pauses = [
      { partition: 0, from: 990, to: 1_500 },
      { partition: 1, from: 4_500, to: 9_000 },
      { partition: 0, from: 20_100, to: 20_400 },
    ];
    expect(Object.fromEntries(longestPauses(pauses, happened))).toEqual({
      'broker-killed': 4_500,
      'redis-killed': 300,
    });
  });

  it('are nobody’s where nothing had happened', () => {
    const pauses = [{ partition: 0, from: 12_000, to: 14_000 }];
    expect(Object.fromEntries(longestPauses(pauses, happened))).toEqual({ 'no fault': 2_000 });
  });
});
