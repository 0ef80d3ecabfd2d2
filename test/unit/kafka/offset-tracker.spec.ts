import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';

import { OffsetTracker, type TrackedOffset } from '../../../lib/kafka/offset-tracker.js';

function record(offset: number, nextOffset = offset + 1): TrackedOffset {
  return { offset: BigInt(offset), nextOffset: BigInt(nextOffset), settled: false };
}

describe('OffsetTracker', () => {
  it('has no watermark before a record has settled', () => {
    const tracker = new OffsetTracker();
    tracker.deliver(record(5));
    expect(tracker.watermark).toBeNull();
    expect(tracker.span).toBe(1);
  });

  it('moves past settled records only as far as the first unsettled one', () => {
    const tracker = new OffsetTracker();
    const [a, b, c] = [record(5), record(6), record(7)];
    for (const each of [a, b, c]) tracker.deliver(each);
    expect(tracker.settle(b)).toBe(false);
    expect(tracker.watermark).toBeNull();
    expect(tracker.settle(a)).toBe(true);
    expect(tracker.watermark).toBe(7n);
    expect(tracker.oldest).toBe(c);
  });

  it('goes on past the gap that follows a settled record', () => {
    const tracker = new OffsetTracker();
    const beforeGap = record(5, 90);
    tracker.deliver(beforeGap);
    tracker.settle(beforeGap);
    expect(tracker.watermark).toBe(90n);
  });

  it('refuses what was delivered before, settled or not', () => {
    const tracker = new OffsetTracker();
    const settled = record(1);
    tracker.deliver(settled);
    tracker.settle(settled);
    tracker.deliver(record(2));
    expect(tracker.deliver(record(1))).toBe(false);
    expect(tracker.deliver(record(2))).toBe(false);
    expect(tracker.deliver(record(3))).toBe(true);
  });

  it('moves past what is nobody’s to see, at once or when the records before it are settled', () => {
    const tracker = new OffsetTracker();
    expect(tracker.skipTo(3n)).toBe(true);
    expect(tracker.watermark).toBe(3n);
    const before = record(3);
    tracker.deliver(before);
    expect(tracker.skipTo(9n)).toBe(false);
    expect(tracker.watermark).toBe(3n);
    tracker.settle(before);
    expect(tracker.watermark).toBe(9n);
    expect(tracker.skipTo(5n)).toBe(false);
    expect(tracker.watermark).toBe(9n);
  });

  it('answers the unsettled records, oldest first', () => {
    const tracker = new OffsetTracker();
    const records = [record(1), record(2), record(3), record(4)] as const;
    for (const each of records) tracker.deliver(each);
    tracker.settle(records[0]);
    tracker.settle(records[2]);
    expect([...tracker.unsettled()]).toEqual([records[1], records[3]]);
  });

  it('never passes an unsettled record, never goes back, ends at the last record', () => {
    const gaps = fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 3_000 });
    fc.assert(
      fc.property(gaps, fc.infiniteStream(fc.nat()), (steps, picks) => {
        const tracker = new OffsetTracker();
        let at = 0;
        const open = steps.map((step) => {
          const each = record(at, at + step);
          at += step;
          tracker.deliver(each);
          return each;
        });
        let last = -1n;
        while (open.length > 0) {
          const pick = Number(picks.next().value) % open.length;
          for (const each of open.splice(pick, 1)) tracker.settle(each);
          const watermark = tracker.watermark ?? 0n;
          expect(watermark >= last).toBe(true);
          last = watermark;
          const oldestOpen = open.reduce(
            (min, { offset }) => (offset < min ? offset : min),
            BigInt(at),
          );
          expect(watermark <= oldestOpen).toBe(true);
        }
        expect(tracker.watermark).toBe(BigInt(at));
        expect(tracker.span).toBe(0);
      }),
      { numRuns: 40 },
    );
  });
});
