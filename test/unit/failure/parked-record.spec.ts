import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';

import { RETRY_HEADERS } from '../../../lib/contracts/event-headers.js';
import {
  fromRetryTopic,
  toRetryTopic,
  type ParkedRecord,
} from '../../../lib/failure/parked-record.js';
import type { OutRecord, WireHeaders } from '../../../lib/kafka/records.js';
import { inRecord } from '../../support/model-kafka.js';

const bytes = fc.uint8Array({ maxLength: 20 }).map((array) => Buffer.from(array));
const nullable = fc.option(bytes, { nil: null });
const name = fc.oneof(
  fc.string({ maxLength: 8 }),
  fc.constantFrom(...Object.values(RETRY_HEADERS)),
);
const text = fc.string({ minLength: 1, maxLength: 12, unit: 'grapheme' });
const time = fc.integer({ min: 0, max: 4_102_444_800_000 });

const parked: fc.Arbitrary<ParkedRecord> = fc.record({
  origin: fc.record({ topic: text, partition: fc.nat() }),
  record: fc
    .record({
      key: nullable,
      value: nullable,
      headers: fc.array(fc.tuple(name, nullable), { maxLength: 12 }),
      offset: fc.bigInt({ min: 0n, max: 2n ** 62n }),
      timestamp: fc.oneof(time, fc.constant(-1)),
    })
    .map((content) => inRecord(content)),
  groupId: text,
  handlerId: text,
  level: fc.integer({ min: 1, max: 100 }),
  dueAt: time,
  attempts: fc.nat(),
  firstFailedAt: time.map((at) => new Date(at)),
});

/** As kafkajs decodes them: the values of a name gathered where its first stands. */
function gathered(headers: WireHeaders): WireHeaders {
  const byName = new Map<string, (Buffer | null)[]>();
  for (const [each, value] of headers) byName.set(each, [...(byName.get(each) ?? []), value]);
  return [...byName].flatMap(([each, values]) => values.map((value) => [each, value] as const));
}

function contentOf({
  key,
  value,
  headers,
  offset,
  timestamp,
  bytes: size,
}: ParkedRecord['record']) {
  return { key, value, headers, offset, timestamp, size };
}

function written(record: ParkedRecord, headersOf = (headers: WireHeaders) => headers) {
  const out: OutRecord = toRetryTopic(record, new Error('why'), 7, (why) => why);
  return inRecord({ ...out, headers: headersOf(out.headers), offset: 99n });
}

describe('a record in a retry topic', () => {
  it('is read as it was written, whatever headers it had of its own', () => {
    fc.assert(
      fc.property(parked, (record) => {
        const { record: original, ...rest } = fromRetryTopic(written(record));
        const { record: wanted, ...others } = record;
        expect(rest).toEqual(others);
        expect(contentOf(original)).toEqual(contentOf(wanted));
      }),
    );
  });

  it('keeps its own headers where a client gathers those of one name', () => {
    fc.assert(
      fc.property(parked, (record) => {
        const { record: original, ...rest } = fromRetryTopic(written(record, gathered));
        const { record: wanted, ...others } = record;
        expect(rest).toEqual(others);
        expect(original.headers).toEqual(gathered(wanted.headers));
      }),
    );
  });

  it('does not grow from level to level', () => {
    fc.assert(
      fc.property(parked, (record) => {
        const first = written({ ...record, level: 1, attempts: 1 });
        const second = written({ ...fromRetryTopic(first), level: 2, attempts: 2 });
        expect(second.headers.length).toBe(first.headers.length);
        expect(second.bytes).toBe(first.bytes);
      }),
    );
  });

  it('tells of its error in few words, redacted', () => {
    const record = { ...fc.sample(parked, 1)[0] } as ParkedRecord;
    const error = new Error(`password=hunter2 ${'x'.repeat(10_000)}`);
    const { headers } = toRetryTopic(record, error, 7, (why) => why.replace('hunter2', '***'));
    const message = headers.findLast(([each]) => each === RETRY_HEADERS.errorMessage)?.[1];
    expect(message?.toString()).toMatch(/^password=\*\*\* x{1,512}$/);
    expect(message?.length).toBeLessThanOrEqual(512);
  });
});
