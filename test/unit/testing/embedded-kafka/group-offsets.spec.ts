import { describe, expect, it } from '@jest/globals';
import { GroupOffsets } from '../../../../lib/testing/embedded-kafka/state/group-offsets.js';

const at = (offset: number, partition = 0, metadata: string | null = null) => ({
  topic: 't',
  partition,
  offset: BigInt(offset),
  metadata,
});

describe('offsets of a group', () => {
  it('are the last that were committed', () => {
    const offsets = new GroupOffsets();
    offsets.commit(at(5, 0, 'note'));
    offsets.commit(at(3));
    offsets.commit(at(9, 1, 'note'));
    expect(offsets.at('t', 0)).toEqual({ offset: 3n, metadata: '' });
    expect(offsets.at('t', 1)).toEqual({ offset: 9n, metadata: 'note' });
    expect(offsets.at('t', 2)).toBeUndefined();
    expect(offsets.snapshot()).toEqual(
      new Map([
        [
          't',
          new Map([
            [0, { offset: 3n, metadata: '' }],
            [1, { offset: 9n, metadata: 'note' }],
          ]),
        ],
      ]),
    );
  });

  it('are refused with a longer note than Kafka takes', () => {
    const offsets = new GroupOffsets();
    offsets.commit(at(1, 0, 'x'.repeat(4096)));
    expect(() => {
      offsets.commit(at(2, 0, 'x'.repeat(4097)));
    }).toThrow('OFFSET_METADATA_TOO_LARGE');
    expect(offsets.at('t', 0)?.offset).toBe(1n);
  });

  it('are forgotten with their topic, staged ones too', () => {
    const offsets = new GroupOffsets();
    offsets.commit(at(1));
    offsets.stage(7n, 0, [at(2)]);
    offsets.forgetTopic('t');
    offsets.endTransaction(7n, true);
    expect(offsets.at('t', 0)).toBeUndefined();
  });
});

describe('offsets of a transaction', () => {
  it('count when it is committed, and not before', () => {
    const offsets = new GroupOffsets();
    offsets.commit(at(1));
    offsets.stage(7n, 0, [at(2), at(5, 1)]);
    offsets.stage(7n, 0, [at(3)]);
    expect(offsets.at('t', 0)?.offset).toBe(1n);
    offsets.endTransaction(7n, true);
    expect(offsets.at('t', 0)?.offset).toBe(3n);
    expect(offsets.at('t', 1)?.offset).toBe(5n);
  });

  it('are dropped when it is aborted, and leave those of other producers alone', () => {
    const offsets = new GroupOffsets();
    offsets.stage(7n, 0, [at(2)]);
    offsets.stage(8n, 0, [at(4, 1)]);
    offsets.endTransaction(7n, false);
    offsets.endTransaction(7n, true);
    offsets.endTransaction(8n, true);
    expect(offsets.at('t', 0)).toBeUndefined();
    expect(offsets.at('t', 1)?.offset).toBe(4n);
  });

  it('give way to a plain commit made after them', () => {
    const offsets = new GroupOffsets();
    offsets.stage(7n, 0, [at(2)]);
    offsets.commit(at(10));
    offsets.endTransaction(7n, true);
    expect(offsets.at('t', 0)?.offset).toBe(10n);
  });

  it('belong to one epoch of the producer: a later one drops them, an earlier one is refused', () => {
    const offsets = new GroupOffsets();
    offsets.stage(7n, 1, [at(2), at(2, 1)]);
    offsets.stage(7n, 2, [at(3)]);
    expect(() => {
      offsets.stage(7n, 1, [at(4)]);
    }).toThrow('INVALID_PRODUCER_EPOCH');
    offsets.endTransaction(7n, true);
    expect(offsets.at('t', 0)?.offset).toBe(3n);
    expect(offsets.at('t', 1)).toBeUndefined();
  });

  it('are kept all or not at all', () => {
    const offsets = new GroupOffsets();
    expect(() => {
      offsets.stage(7n, 0, [at(1), at(2, 1, 'x'.repeat(5000))]);
    }).toThrow('OFFSET_METADATA_TOO_LARGE');
    offsets.endTransaction(7n, true);
    expect(offsets.at('t', 0)).toBeUndefined();
  });
});
