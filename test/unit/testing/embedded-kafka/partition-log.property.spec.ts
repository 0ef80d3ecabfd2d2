import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { PartitionLog } from '../../../../lib/testing/embedded-kafka/state/partition-log.js';
import { RecordBatch } from '../../../../lib/testing/embedded-kafka/wire/record-batch.js';
import { ManualClock } from '../../../support/manual-clock.js';
import { batchOfRecords } from '../../../support/record-batches.js';

const newLog = () => new PartitionLog({ clock: new ManualClock(), configs: new Map() });
const ALL = { maxBytes: 1_000_000, isolation: 'READ_UNCOMMITTED' } as const;

/** A place in the log, as a share of what there is. */
const share = fc.double({ min: 0, max: 1, noNaN: true });
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ append: fc.integer({ min: 1, max: 5 }) }) },
  { weight: 1, arbitrary: fc.record({ deleteBefore: share }) },
  { weight: 1, arbitrary: fc.record({ truncateTo: share }) },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** The log as the offsets that it holds, batch by batch. */
class ModelLog {
  batches: number[][] = [];
  start = 0;

  get end(): number {
    return (this.batches.at(-1)?.at(-1) ?? this.start - 1) + 1;
  }

  append(count: number): void {
    const { end } = this;
    this.batches.push(Array.from({ length: count }, (_, index) => end + index));
  }
  deleteBefore(offset: number): void {
    this.start = Math.max(this.start, offset);
    this.batches = this.batches.filter((offsets) => (offsets.at(-1) ?? 0) >= this.start);
  }
  truncateTo(offset: number): void {
    this.batches = this.batches.filter((offsets) => (offsets.at(-1) ?? 0) < offset);
  }
  from(offset: number): number[] {
    return this.batches.filter((offsets) => (offsets.at(-1) ?? 0) >= offset).flat();
  }
}

function apply(taken: Step, log: PartitionLog, model: ModelLog): void {
  const placeAt = (part: number) => model.start + Math.floor(part * (model.end - model.start));
  if ('append' in taken) {
    log.append(batchOfRecords(taken.append), 0);
    model.append(taken.append);
  } else if ('deleteBefore' in taken) {
    const offset = placeAt(taken.deleteBefore);
    log.deleteBefore(BigInt(offset));
    model.deleteBefore(offset);
  } else {
    const offset = placeAt(taken.truncateTo);
    log.truncateTo(BigInt(offset));
    model.truncateTo(offset);
  }
}

function offsetsFrom(log: PartitionLog, offset: number): number[] {
  return log.read(BigInt(offset), ALL).batches.flatMap((bytes) => {
    const { baseOffset, recordCount } = RecordBatch.parse(bytes);
    return Array.from({ length: recordCount }, (_, index) => Number(baseOffset) + index);
  });
}

describe('PartitionLog', () => {
  it('holds what a list of offsets would, after any appends, deletions and truncations', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const log = newLog();
        const model = new ModelLog();
        for (const taken of steps) {
          apply(taken, log, model);
          expect([Number(log.logStart), Number(log.highWatermark)]).toEqual([
            model.start,
            model.end,
          ]);
          for (let offset = model.start; offset <= model.end; offset++) {
            expect(offsetsFrom(log, offset)).toEqual(model.from(offset));
          }
        }
      }),
    );
  });

  it('stores each batch of an idempotent producer once and in order, however it repeats', () => {
    const back = fc.integer({ min: 1, max: 5 });
    const sends = fc.array(fc.oneof(fc.constant('next'), back, fc.constant('gap')), {
      maxLength: 60,
    });
    fc.assert(
      fc.property(sends, fc.integer({ min: 0, max: 0x7fffffff }), (course, firstSequence) => {
        const log = newLog();
        const batchAt = (index: number) =>
          batchOfRecords(1, {
            producerId: 1n,
            baseSequence: (firstSequence + index) & 0x7fffffff,
          });
        let stored = 0;
        for (const send of ['next', ...course] as const) {
          if (send === 'next') {
            expect(log.append(batchAt(stored), 0).baseOffset).toBe(BigInt(stored));
            stored++;
          } else if (send === 'gap') {
            expect(() => log.append(batchAt(stored + 1), 0)).toThrow('OUT_OF_ORDER');
          } else if (typeof send === 'number' && send <= stored) {
            const repeated = { duplicate: true, baseOffset: BigInt(stored - send) };
            expect(log.append(batchAt(stored - send), 0)).toMatchObject(repeated);
          }
          expect(log.highWatermark).toBe(BigInt(stored));
        }
      }),
    );
  });
});
