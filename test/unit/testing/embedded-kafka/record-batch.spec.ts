import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { crc32c } from '../../../../lib/testing/embedded-kafka/wire/crc32c.js';
import { RecordBatch } from '../../../../lib/testing/embedded-kafka/wire/record-batch.js';
import { recordTimes } from '../../../../lib/testing/embedded-kafka/wire/record-times.js';
import {
  commits,
  transactionMarker,
} from '../../../../lib/testing/embedded-kafka/wire/transaction-marker.js';
import { batchOfRecords, producedBatch } from '../../../support/record-batches.js';
import { thrownBy } from '../../../support/thrown-by.js';

describe('crc32c', () => {
  it('agrees with the published check values', () => {
    expect(crc32c(Buffer.from('123456789'))).toBe(0xe3069283);
    // RFC 3720, B.4
    expect(crc32c(Buffer.alloc(32))).toBe(0x8a9136aa);
    expect(crc32c(Buffer.alloc(32, 0xff))).toBe(0x62a8ab43);
  });
});

describe('RecordBatch', () => {
  const refusalOf = (bytes: Buffer) => thrownBy(() => RecordBatch.parse(bytes)).message;

  it('is placed in a log without touching what the checksum covers', () => {
    const sent = batchOfRecords(3, { producerId: 7n });
    const placed = sent.at(41n, 5);
    expect(placed).toMatchObject({ baseOffset: 41n, lastOffset: 43n, leaderEpoch: 5 });
    expect(placed.isIntact).toBe(true);
    expect(sent.baseOffset).toBe(0n);
    expect(placed.bytes.subarray(17)).toEqual(sent.bytes.subarray(17));
  });

  it('keeps no more memory in a log than its own bytes', () => {
    const { bytes } = producedBatch().at(0n, 0);
    expect(bytes.buffer.byteLength).toBe(bytes.length);
  });

  it('is told from its older formats, from several, and from one cut short', () => {
    const { bytes } = producedBatch();
    expect(refusalOf(Buffer.alloc(0))).toMatch('INVALID_RECORD');
    expect(refusalOf(Buffer.concat([bytes, bytes]))).toMatch('INVALID_RECORD: several');
    expect(refusalOf(bytes.subarray(0, -1))).toMatch('CORRUPT_MESSAGE');
    const old = Buffer.from(bytes);
    old.writeInt8(1, 16);
    expect(refusalOf(old)).toMatch('INVALID_RECORD: magic 1');
    const negative = Buffer.from(bytes);
    negative.writeInt32BE(-5, 8);
    expect(refusalOf(negative)).toMatch('CORRUPT_MESSAGE');
  });

  it('parses or refuses any bytes, and notices any change of what the checksum covers', () => {
    const { bytes } = batchOfRecords(2);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (random) => {
        const given = Buffer.from(random);
        try {
          expect(RecordBatch.parse(given).bytes).toBe(given);
        } catch (error) {
          expect(error).toHaveProperty('name', 'KafkaProtocolError');
        }
      }),
    );
    fc.assert(
      fc.property(
        fc.integer({ min: 17, max: bytes.length - 1 }),
        fc.integer({ min: 1, max: 255 }),
        (at, flipped) => {
          const changed = Buffer.from(bytes);
          changed.writeUInt8(changed.readUInt8(at) ^ flipped, at);
          expect(RecordBatch.parse(changed).isIntact).toBe(false);
        },
      ),
    );
  });

  it('counts sequences on from 0 after the largest', () => {
    const batch = batchOfRecords(3, { producerId: 1n, baseSequence: 0x7ffffffe });
    expect(batch.lastSequence).toBe(0);
  });
});

describe('recordTimes', () => {
  it.each([false, true])('reads each record (gzip: %s)', (gzip) => {
    const batch = producedBatch({ times: [1_000, 900, 5_000_000], gzip }).at(10n, 0);
    expect(recordTimes(batch)).toEqual([
      { offset: 10n, timestamp: 1_000n },
      { offset: 11n, timestamp: 900n },
      { offset: 12n, timestamp: 5_000_000n },
    ]);
  });

  it('takes a batch that it cannot open as one record', () => {
    const batch = producedBatch({ times: [100, 200] });
    const unreadable = Buffer.from(batch.bytes);
    unreadable.writeInt16BE(4, 21); // zstd
    expect(recordTimes(RecordBatch.parse(unreadable))).toEqual([{ offset: 0n, timestamp: 200n }]);
    const garbage = Buffer.from(batch.bytes).fill(0xff, 61);
    expect(recordTimes(RecordBatch.parse(garbage))).toEqual([{ offset: 0n, timestamp: 200n }]);
  });
});

describe('transactionMarker', () => {
  it.each([true, false])('says how the transaction ended (committed: %s)', (committed) => {
    const marker = transactionMarker({ producerId: 4n, producerEpoch: 2 }, committed, 99n);
    expect(commits(marker)).toBe(committed);
    expect(marker).toMatchObject({
      isControl: true,
      isTransactional: true,
      isIntact: true,
      producerId: 4n,
      producerEpoch: 2,
      recordCount: 1,
    });
  });
});
