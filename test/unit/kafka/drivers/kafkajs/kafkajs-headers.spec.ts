import { describe, expect, it } from '@jest/globals';
import { createRequire } from 'node:module';
import {
  toKafkaJsHeaders,
  toWireHeaders,
} from '../../../../../lib/kafka/drivers/kafkajs/kafkajs-headers.js';
import type { WireHeaders } from '../../../../../lib/kafka/records.js';

const require = createRequire(import.meta.url);

interface Encoded {
  readonly buffer: Buffer;
}

// The very encoder and decoder that the driver's headers have to get through.
const encodeRecord = require('kafkajs/src/protocol/recordBatch/record/v0/index.js') as (
  record: object,
) => Encoded;
const Decoder = require('kafkajs/src/protocol/decoder.js') as new (buffer: Buffer) => Cursor;

interface Cursor {
  readVarInt(): number;
  readInt8(): number;
  readVarLong(): unknown;
  readVarIntBytes(): Buffer | null;
  readVarIntString(): string;
  readVarIntArray<T>(read: (cursor: Cursor) => T): T[];
  offset: number;
}

/** Header pairs as they stand in the bytes of an encoded record. */
function headersInBytes({ buffer }: Encoded): [string, Buffer | null][] {
  const cursor = new Decoder(buffer);
  const size = cursor.readVarInt();
  expect(buffer.length - cursor.offset).toBe(size);
  cursor.readInt8();
  cursor.readVarLong();
  cursor.readVarInt();
  cursor.readVarIntBytes();
  cursor.readVarIntBytes();
  return cursor.readVarIntArray((at) => [at.readVarIntString(), at.readVarIntBytes()]);
}

const key = Buffer.from('k');
const value = Buffer.from('v');

describe('headers for kafkajs to encode', () => {
  const pairs: WireHeaders = [
    ['b', Buffer.from('1')],
    ['a', null],
    ['b', Buffer.alloc(0)],
    ['7', Buffer.from([0, 255])],
    ['a', Buffer.from('é')],
    ['b', null],
  ];

  it.each([
    ['none', []],
    ['one', [['a', Buffer.from('1')]]],
    ['a null', [['a', null]]],
    ['repeated, interleaved, null and empty ones', pairs],
  ] satisfies [string, WireHeaders][])('come out as given, with the right size: %s', (_, given) => {
    const encoded = encodeRecord({ key, value, headers: toKafkaJsHeaders(given) });
    expect(headersInBytes(encoded)).toEqual(given);
  });

  it('can be encoded again, as a retry does', () => {
    const headers = toKafkaJsHeaders(pairs);
    const first = encodeRecord({ key, value, headers });
    expect(encodeRecord({ key, value, headers }).buffer).toEqual(first.buffer);
  });
});

describe('headers from kafkajs', () => {
  it('are pairs, repeated ones at the place of their first', () => {
    const [one, two] = [Buffer.from('1'), Buffer.from('2')];
    expect(toWireHeaders({ a: [one, two], b: two })).toEqual([
      ['a', one],
      ['a', two],
      ['b', two],
    ]);
  });

  it('keep null, also among repeated ones, and text as bytes', () => {
    // What kafkajs's decoder hands out, though its types know no null.
    const headers = JSON.parse('{ "a": null, "b": [null, "x"] }') as Record<string, string[]>;
    expect(toWireHeaders(headers)).toEqual([
      ['a', null],
      ['b', null],
      ['b', Buffer.from('x')],
    ]);
  });

  it('are none for records of old brokers', () => {
    expect(toWireHeaders(undefined)).toEqual([]);
  });
});
