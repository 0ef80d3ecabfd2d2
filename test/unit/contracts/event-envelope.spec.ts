import { describe, expect, it } from '@jest/globals';

import { EventEnvelope } from '../../../lib/contracts/event-envelope.js';
import { inRecord, type RecordContent } from '../../support/model-kafka.js';

type Headers = [string, string | Buffer | null][];

function envelope(headers: Headers, over: Partial<RecordContent> = {}): EventEnvelope {
  const wire = headers.map(
    ([name, value]) => [name, typeof value === 'string' ? Buffer.from(value) : value] as const,
  );
  const record = { offset: 42n, timestamp: 1_700_000_000_000 };
  return new EventEnvelope(
    { topic: 'orders', partition: 3 },
    inRecord({ ...record, headers: wire, ...over }),
  );
}

describe('EventEnvelope', () => {
  it('reads our own headers', () => {
    const read = envelope([
      ['event-id', 'e-1'],
      ['event-type', 'order.created.v1'],
      ['correlation-id', 'c-1'],
      ['causation-id', 'e-0'],
      ['event-time', '2025-01-02T03:04:05.678Z'],
      ['aggregate-id', 'o-1'],
    ]);
    expect(read).toMatchObject({
      topic: 'orders',
      partition: 3,
      eventId: 'e-1',
      idDerived: false,
      eventType: 'order.created.v1',
      correlationId: 'c-1',
      causationId: 'e-0',
      aggregateId: 'o-1',
      source: null,
      timestamp: new Date('2025-01-02T03:04:05.678Z'),
    });
  });

  const cloudEvent: Headers = [
    ['ce_id', 'ce-1'],
    ['ce_type', 'order.created.v2'],
    ['ce_source', '/shop'],
    ['ce_time', '2025-01-01T00:00:00Z'],
    ['ce_subject', 'o-2'],
  ];

  it("reads CloudEvents' Kafka binding", () => {
    expect(envelope(cloudEvent)).toMatchObject({
      eventId: 'ce-1',
      idDerived: false,
      eventType: 'order.created.v2',
      source: '/shop',
      aggregateId: 'o-2',
      timestamp: new Date('2025-01-01T00:00:00Z'),
    });
  });

  it("prefers our own headers to CloudEvents'", () => {
    const own: Headers = [
      ['event-id', 'e-1'],
      ['event-type', 'order.created.v1'],
      ['event-time', '2025-06-01T00:00:00Z'],
      ['aggregate-id', 'o-1'],
    ];
    expect(envelope([...own, ...cloudEvent])).toMatchObject({
      eventId: 'e-1',
      eventType: 'order.created.v1',
      aggregateId: 'o-1',
      timestamp: new Date('2025-06-01T00:00:00Z'),
    });
  });

  it('takes the last of a repeated header', () => {
    expect(
      envelope([
        ['event-id', 'first'],
        ['event-id', 'last'],
      ]).eventId,
    ).toBe('last');
  });

  it.each<[string, Headers]>([
    ['missing', []],
    ['null', [['event-id', null]]],
    ['empty', [['event-id', '']]],
  ])('derives the id from the position when it is %s', (_, headers) => {
    const read = envelope(headers, { offset: 2n ** 60n });
    expect(read.eventId).toBe(`orders:3:${(2n ** 60n).toString()}`);
    expect(read.idDerived).toBe(true);
  });

  it('has nothing where the record says nothing', () => {
    expect(envelope([])).toMatchObject({
      eventType: '',
      correlationId: null,
      causationId: null,
      aggregateId: null,
      source: null,
    });
  });

  it('prefers the key to the aggregate-id header', () => {
    const read = envelope([['aggregate-id', 'header']], { key: Buffer.from('key') });
    expect(read.aggregateId).toBe('key');
  });

  it.each<[string, Headers]>([
    ['missing', []],
    ['not a time', [['event-time', 'yesterday']]],
  ])("falls back to the record's timestamp when the event's is %s", (_, headers) => {
    expect(envelope(headers).timestamp).toEqual(new Date(1_700_000_000_000));
  });

  it('reads an id that is not UTF-8 as hex, other text with replacement characters', () => {
    const bytes = Buffer.from([0x65, 0xff]);
    const read = envelope([
      ['event-id', bytes],
      ['correlation-id', bytes],
    ]);
    expect(read.eventId).toBe('hex:65ff');
    expect(read.correlationId).toBe('e\ufffd');
  });
});
