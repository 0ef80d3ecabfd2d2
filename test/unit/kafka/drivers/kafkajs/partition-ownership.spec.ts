import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { PartitionOwnership } from '../../../../../lib/kafka/drivers/kafkajs/partition-ownership.js';

const topic = 'orders';
const partitions = (...numbers: number[]) => numbers.map((partition) => ({ topic, partition }));

describe('PartitionOwnership', () => {
  it('keeps, gains and loses through an uninterrupted assignment', () => {
    const ownership = new PartitionOwnership();
    const first = ownership.assign(partitions(0, 1), false);
    expect(first.gained.map(({ partition }) => partition)).toEqual([0, 1]);

    const second = ownership.assign(partitions(1, 2), true);
    expect(second.kept).toEqual([first.gained[1]]);
    expect(second.lost).toEqual([first.gained[0]]);
    expect(second.gained.map(({ partition }) => partition)).toEqual([2]);
  });

  it('loses and gains anew what somebody else may have had meanwhile', () => {
    const ownership = new PartitionOwnership();
    const { gained: before } = ownership.assign(partitions(0), false);
    const change = ownership.assign(partitions(0), false);
    expect(change.lost).toEqual(before);
    expect(change.kept).toEqual([]);
    expect(change.gained[0]?.epoch).toBeGreaterThan(before[0]?.epoch ?? NaN);
  });

  it('never gives an epoch twice, and never holds two of one partition', () => {
    const step = fc.record({
      owned: fc.uniqueArray(fc.nat(4)),
      uninterrupted: fc.boolean(),
      after: fc.constantFrom('nothing', 'lose all'),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
        const ownership = new PartitionOwnership();
        const given = new Set<number>();
        const held = new Map<number, number>();
        const apply = (change: ReturnType<PartitionOwnership['assign']>) => {
          for (const { partition, epoch } of change.lost) {
            expect(held.get(partition)).toBe(epoch);
            held.delete(partition);
          }
          for (const { partition, epoch } of change.kept) expect(held.get(partition)).toBe(epoch);
          for (const { partition, epoch } of change.gained) {
            expect(held.has(partition)).toBe(false);
            expect(given.has(epoch)).toBe(false);
            given.add(epoch);
            held.set(partition, epoch);
          }
        };
        for (const { owned, uninterrupted, after } of steps) {
          apply(ownership.assign(partitions(...owned), uninterrupted));
          if (after === 'lose all') apply({ lost: ownership.loseAll(), gained: [], kept: [] });
          expect(new Map(ownership.all().map((own) => [own.partition, own.epoch]))).toEqual(held);
        }
      }),
    );
  });
});
