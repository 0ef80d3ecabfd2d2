import { describe, expect, it, jest } from '@jest/globals';
import { PartitionLog } from '../../../../lib/testing/embedded-kafka/state/partition-log.js';
import { RecordBatch } from '../../../../lib/testing/embedded-kafka/wire/record-batch.js';
import { ManualClock } from '../../../support/manual-clock.js';
import { batchOfRecords, producedBatch } from '../../../support/record-batches.js';
import { thrownBy } from '../../../support/thrown-by.js';

const ALL = { maxBytes: 1_000_000, isolation: 'READ_UNCOMMITTED' } as const;
const COMMITTED = { maxBytes: 1_000_000, isolation: 'READ_COMMITTED' } as const;

function logWith(configs: Record<string, string> = {}) {
  const clock = new ManualClock();
  return new PartitionLog({ clock, configs: new Map(Object.entries(configs)) });
}

/** A log of batches of that many records. */
function logOf(...counts: readonly number[]) {
  const log = logWith();
  for (const count of counts) log.append(batchOfRecords(count), 0);
  return log;
}

const basesOf = (batches: readonly Buffer[]) =>
  batches.map((bytes) => Number(RecordBatch.parse(bytes).baseOffset));
const refusalOf = (call: () => unknown) => thrownBy(call).message.split(':')[0];

describe('PartitionLog', () => {
  it('gives batches their place', () => {
    const log = logWith();
    expect(log.append(batchOfRecords(3), 4).baseOffset).toBe(0n);
    expect(log.append(batchOfRecords(2), 4).baseOffset).toBe(3n);
    expect(log).toMatchObject({ logStart: 0n, highWatermark: 5n, lastStableOffset: 5n });
    const [first] = log.read(0n, ALL).batches;
    expect(RecordBatch.parse(first ?? Buffer.alloc(0)).leaderEpoch).toBe(4);
  });

  it('reads whole batches from the one that contains the offset', () => {
    const log = logOf(3, 2, 1);
    expect(basesOf(log.read(2n, ALL).batches)).toEqual([0, 3, 5]);
    expect(basesOf(log.read(3n, ALL).batches)).toEqual([3, 5]);
    expect(log.read(6n, ALL).batches).toEqual([]);
  });

  it('reads no more than it may, but one batch at least where that is wanted', () => {
    const log = logOf(1, 1, 1);
    const { length } = batchOfRecords(1).bytes;
    const read = (maxBytes: number, atLeastOne?: boolean) =>
      basesOf(
        log.read(0n, { ...ALL, maxBytes, ...(atLeastOne === false && { atLeastOne }) }).batches,
      );
    expect(read(2 * length)).toEqual([0, 1]);
    expect(read(2 * length - 1)).toEqual([0]);
    expect(read(1)).toEqual([0]);
    expect(read(1, false)).toEqual([]);
  });

  it('refuses offsets outside of the log', () => {
    const log = logOf(2);
    for (const offset of [-1n, 3n]) {
      expect(refusalOf(() => log.read(offset, ALL))).toBe('OFFSET_OUT_OF_RANGE');
    }
  });

  it('refuses what no producer may send', () => {
    const log = logWith({ 'max.message.bytes': '200' });
    const refused = (batch: RecordBatch) => refusalOf(() => log.append(batch, 0));
    expect(refused(producedBatch({ valueBytes: 200 }))).toBe('MESSAGE_TOO_LARGE');
    expect(refused(producedBatch().at(5n, 0))).toBe('INVALID_RECORD');
    expect(refused(batchOfRecords(0))).toBe('INVALID_RECORD');
    expect(refused(producedBatch({ producerId: 1n, baseSequence: -1 }))).toBe('INVALID_RECORD');
    const corrupt = Buffer.from(producedBatch().bytes).fill(1, 61);
    expect(refused(RecordBatch.parse(corrupt))).toBe('CORRUPT_MESSAGE');
    expect(log.highWatermark).toBe(0n);
  });

  it('keeps what is left of a deleted or truncated log', () => {
    const log = logOf(3, 2, 1);
    log.deleteBefore(4n);
    expect(log.logStart).toBe(4n);
    expect(basesOf(log.read(4n, ALL).batches)).toEqual([3, 5]);
    expect(refusalOf(() => log.read(3n, ALL))).toBe('OFFSET_OUT_OF_RANGE');
    log.deleteBefore(1n);
    expect(log.logStart).toBe(4n);
    expect(() => {
      log.deleteBefore(7n);
    }).toThrow('OFFSET_OUT_OF_RANGE');

    log.truncateTo(5n);
    expect(log.highWatermark).toBe(5n);
    expect(log.append(batchOfRecords(1), 0).baseOffset).toBe(5n);
    log.truncateTo(0n);
    expect(log).toMatchObject({ logStart: 4n, highWatermark: 4n });
  });

  it('keeps about as many bytes as it is told', () => {
    const { length } = producedBatch().bytes;
    const log = logWith({ 'retention.bytes': String(2 * length) });
    for (let count = 0; count < 10; count++) log.append(producedBatch(), 0);
    expect(log).toMatchObject({ logStart: 8n, highWatermark: 10n });
  });

  it('finds the first record of a time', () => {
    const log = logWith();
    log.append(producedBatch({ times: [100, 300, 200] }), 0);
    log.append(producedBatch({ times: [400] }), 0);
    expect(log.offsetForTimestamp(0n)).toEqual({ offset: 0n, timestamp: 100n });
    expect(log.offsetForTimestamp(150n)).toEqual({ offset: 1n, timestamp: 300n });
    expect(log.offsetForTimestamp(301n)).toEqual({ offset: 3n, timestamp: 400n });
    expect(log.offsetForTimestamp(401n)).toBeUndefined();
    log.deleteBefore(2n);
    expect(log.offsetForTimestamp(0n)).toEqual({ offset: 2n, timestamp: 200n });
  });

  it('stamps records with its own time where the topic says so', () => {
    const log = logWith({ 'message.timestamp.type': 'LogAppendTime' });
    const now = BigInt(new ManualClock().wallTime().getTime());
    expect(log.append(batchOfRecords(2), 0).logAppendTime).toBe(now);
    const [stored] = log.read(0n, ALL).batches;
    const batch = RecordBatch.parse(stored ?? Buffer.alloc(0));
    expect(batch).toMatchObject({ maxTimestamp: now, isTimedByLog: true, isIntact: true });
    expect(log.offsetForTimestamp(now)).toEqual({ offset: 0n, timestamp: now });
  });

  it('tells of every change until nobody listens', () => {
    const log = logWith();
    const listener = jest.fn();
    const stop = log.onChange(listener);
    log.append(producedBatch(), 0);
    log.truncateTo(0n);
    log.wake();
    expect(listener).toHaveBeenCalledTimes(3);
    stop();
    log.append(producedBatch(), 0);
    expect(listener).toHaveBeenCalledTimes(3);
  });
});

describe('PartitionLog for idempotent producers', () => {
  const producer = { producerId: 9n, producerEpoch: 0 };
  const batch = (baseSequence: number, count = 1, producerEpoch = 0) =>
    batchOfRecords(count, { ...producer, producerEpoch, baseSequence });

  it('recognises the last five batches', () => {
    const log = logWith();
    for (let sequence = 0; sequence < 6; sequence++) log.append(batch(sequence), 0);
    for (let sequence = 1; sequence < 6; sequence++) {
      const repeated = { duplicate: true, baseOffset: BigInt(sequence) };
      expect(log.append(batch(sequence), 0)).toMatchObject(repeated);
    }
    expect(refusalOf(() => log.append(batch(0), 0))).toBe('OUT_OF_ORDER_SEQUENCE_NUMBER');
    expect(log.highWatermark).toBe(6n);
  });

  it('accepts any sequence from a producer that it does not know, then only the next', () => {
    const log = logWith();
    log.append(batch(40, 2), 0);
    expect(refusalOf(() => log.append(batch(43), 0))).toBe('OUT_OF_ORDER_SEQUENCE_NUMBER');
    expect(refusalOf(() => log.append(batch(40, 1), 0))).toBe('OUT_OF_ORDER_SEQUENCE_NUMBER');
    expect(log.append(batch(42), 0)).toMatchObject({ duplicate: false, baseOffset: 2n });
  });

  it('begins again at 0 with a new epoch, and refuses the old one', () => {
    const log = logWith();
    log.append(batch(0), 0);
    expect(refusalOf(() => log.append(batch(1, 1, 1), 0))).toBe('OUT_OF_ORDER_SEQUENCE_NUMBER');
    log.append(batch(0, 1, 1), 0);
    expect(refusalOf(() => log.append(batch(1), 0))).toBe('INVALID_PRODUCER_EPOCH');
  });

  it('goes on at 0 after the largest sequence', () => {
    const log = logWith();
    log.append(batch(0x7fffffff), 0);
    expect(log.append(batch(0), 0).duplicate).toBe(false);
  });

  it('remembers deleted batches, and forgets truncated ones', () => {
    const log = logWith();
    log.append(batch(0), 0);
    log.append(batch(1), 0);
    log.deleteBefore(2n);
    expect(log.append(batch(1), 0).duplicate).toBe(true);
    log.append(batch(2), 0);
    log.truncateTo(2n);
    expect(log.append(batch(7), 0)).toMatchObject({ duplicate: false, baseOffset: 2n });
  });
});

describe('PartitionLog for transactions', () => {
  const [alice, bob] = [
    { producerId: 1n, producerEpoch: 0 },
    { producerId: 2n, producerEpoch: 0 },
  ];
  const write = (log: PartitionLog, producer: typeof alice, baseSequence = 0) =>
    log.append(producedBatch({ ...producer, baseSequence, transactional: true }), 0);

  it('keeps back what follows the oldest open transaction', () => {
    const log = logOf(2);
    write(log, alice);
    write(log, bob);
    expect(log.lastStableOffset).toBe(2n);
    log.endTransaction(bob, true, 0);
    expect(log.lastStableOffset).toBe(2n);
    expect(basesOf(log.read(0n, COMMITTED).batches)).toEqual([0]);
    expect(log.read(3n, COMMITTED).batches).toEqual([]);
    log.endTransaction(alice, true, 0);
    expect(log.lastStableOffset).toBe(log.highWatermark);
    expect(basesOf(log.read(0n, COMMITTED).batches)).toEqual([0, 2, 3, 4, 5]);
  });

  it('names the aborted transactions among what was read, and no others', () => {
    const log = logWith();
    write(log, alice); // 0
    write(log, bob); // 1
    log.endTransaction(alice, false, 0); // 2
    log.endTransaction(bob, true, 0); // 3
    write(log, bob, 1); // 4
    log.endTransaction(bob, false, 0); // 5
    const abortedFrom = (offset: bigint, maxBytes = 1_000_000) =>
      log
        .read(offset, { ...COMMITTED, maxBytes })
        .abortedTransactions.map(({ producerId, firstOffset }) => [producerId, firstOffset]);
    expect(abortedFrom(0n)).toEqual([
      [1n, 0n],
      [2n, 4n],
    ]);
    expect(abortedFrom(0n, 1)).toEqual([[1n, 0n]]);
    expect(abortedFrom(2n, 1)).toEqual([[1n, 0n]]);
    const beforeTheSecond = log.read(0n, COMMITTED).batches.slice(0, 4);
    expect(abortedFrom(0n, Buffer.concat(beforeTheSecond).length)).toEqual([[1n, 0n]]);
    expect(abortedFrom(3n)).toEqual([[2n, 4n]]);
    expect(log.read(0n, ALL).abortedTransactions).toEqual([]);
  });

  it('takes no records outside of the transaction from a producer that is in one', () => {
    const log = logWith();
    write(log, alice);
    const plain = producedBatch({ ...alice, baseSequence: 1 });
    expect(refusalOf(() => log.append(plain, 0))).toBe('INVALID_TXN_STATE');
  });

  it('is fenced by the epoch of a marker', () => {
    const log = logWith();
    write(log, alice);
    log.endTransaction({ ...alice, producerEpoch: 1 }, false, 0);
    expect(refusalOf(() => write(log, alice, 1))).toBe('INVALID_PRODUCER_EPOCH');
    expect(write(log, { ...alice, producerEpoch: 1 }).baseOffset).toBe(2n);
  });

  it('rebuilds what is open and aborted from a truncated log', () => {
    const log = logWith();
    write(log, alice);
    log.endTransaction(alice, false, 0);
    write(log, bob);
    log.truncateTo(2n);
    expect(log.lastStableOffset).toBe(2n);
    expect(log.read(0n, COMMITTED).abortedTransactions).toHaveLength(1);
    log.truncateTo(1n);
    expect(log.lastStableOffset).toBe(0n);
  });
});
