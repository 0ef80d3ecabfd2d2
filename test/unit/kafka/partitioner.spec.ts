import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { Partitioners } from 'kafkajs';
import { movedKeys, murmur2, partitionOfKey } from '../../../lib/kafka/partitioner.js';

describe('murmur2', () => {
  // The values that Kafka's own UtilsTest expects of the Java client.
  it.each([
    ['21', -973932308],
    ['foobar', -790332482],
    ['a-little-bit-long-string', -985981536],
    ['a-little-bit-longer-string', -1486304829],
    ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
    ['abc', 479470107],
  ])('hashes %j as Java does', (text, hash) => {
    expect(murmur2(Buffer.from(text))).toBe(hash);
  });
});

describe('partitionOfKey', () => {
  it('agrees with kafkajs, which agrees with Java, for any bytes', () => {
    const choose = Partitioners.DefaultPartitioner();
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 40 }),
        fc.integer({ min: 1, max: 200 }),
        (bytes, n) => {
          const key = Buffer.from(bytes);
          const partitionMetadata = Array.from({ length: n }, (_, partitionId) => ({
            ...{ partitionId, leader: 1, partitionErrorCode: 0 },
            ...{ replicas: [], isr: [] },
          }));
          const message = { key, value: null };
          expect(partitionOfKey(key, n)).toBe(choose({ topic: 't', partitionMetadata, message }));
        },
      ),
    );
  });
});

describe('movedKeys', () => {
  it.each([
    [1, 2, 0.5],
    [6, 6, 0],
    [6, 12, 0.5],
    [6, 8, 0.75],
    [6, 7, 6 / 7],
    [12, 18, 2 / 3],
  ])('from %i to %i partitions is what happens to keys', (from, to, share) => {
    const keys = Array.from({ length: 20_000 }, (_, i) => Buffer.from(`order-${String(i)}`));
    const moved = keys.filter((key) => partitionOfKey(key, from) !== partitionOfKey(key, to));
    expect(movedKeys(from, to)).toBeCloseTo(share, 10);
    expect(moved.length / keys.length).toBeCloseTo(share, 1);
  });
});
