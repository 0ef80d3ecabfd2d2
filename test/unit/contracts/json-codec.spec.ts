import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';

import { decodeJson, encodeJson } from '../../../lib/contracts/json-codec.js';
import { InvalidPayloadError, UndecodableRecordError } from '../../../lib/kafka-events.errors.js';
import { thrownBy } from '../../support/thrown-by.js';

describe('encodeJson and decodeJson', () => {
  it('are the inverse of each other for JSON values', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        // Through JSON once, for it has no -0.
        const json: unknown = JSON.parse(JSON.stringify(value));
        expect(decodeJson(encodeJson(value))).toEqual(json);
      }),
    );
  });

  it('write UTF-8', () => {
    expect(encodeJson({ name: 'Größe ✓' })).toEqual(Buffer.from('{"name":"Größe ✓"}', 'utf8'));
  });
});

describe('encodeJson', () => {
  it.each([undefined, () => 1, Symbol('s')])('refuses what has no JSON form: %p', (value) => {
    expect(thrownBy(() => encodeJson(value))).toBeInstanceOf(InvalidPayloadError);
    expect(() => encodeJson(value)).toThrow(`a value of type ${typeof value} has no JSON form`);
  });

  it('names the path of a BigInt', () => {
    expect(() => encodeJson({ lines: [{}, { total: 10n }] })).toThrow(
      'lines.1.total: JSON has no BigInt; declare it as text',
    );
  });

  it('names the path of a cycle, not of a value that is merely repeated', () => {
    const shared = { a: 1 };
    const cyclic: Record<string, unknown> = { left: shared, right: shared };
    cyclic.down = { up: cyclic };
    expect(() => encodeJson(cyclic)).toThrow('down.up: it contains itself');
    expect(encodeJson({ left: shared, right: shared }).toString()).toBe(
      '{"left":{"a":1},"right":{"a":1}}',
    );
  });

  it("keeps a failing toJSON's error as the cause, out of the message", () => {
    const cause = new Error('secret');
    const value = {
      toJSON: () => {
        throw cause;
      },
    };
    const error = thrownBy(() => encodeJson(value));
    expect(error).toBeInstanceOf(InvalidPayloadError);
    expect(error.message).toBe('the payload is invalid: it cannot be written as JSON');
    expect(error.cause).toBe(cause);
  });
});

describe('decodeJson', () => {
  it.each([
    ['no JSON', Buffer.from('{"card": "4111", }'), 'is not JSON'],
    ['nothing', Buffer.alloc(0), 'is not JSON'],
    ['JSON cut short', Buffer.from('{"card": "41'), 'is not JSON'],
    ['a stray byte', Buffer.from([0x22, 0x61, 0xff, 0x22]), 'is not UTF-8 text'],
    ['an overlong form', Buffer.from([0x22, 0xc0, 0xaf, 0x22]), 'is not UTF-8 text'],
    ['a lone surrogate', Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22]), 'is not UTF-8 text'],
  ])('refuses %s', (_, bytes, why) => {
    const error = thrownBy(() => decodeJson(bytes));
    expect(error).toBeInstanceOf(UndecodableRecordError);
    expect(error.message).toBe(`the value (${bytes.length} bytes) ${why}`);
  });

  it('keeps a replacement character that was really written', () => {
    expect(decodeJson(Buffer.from('"\ufffd"'))).toBe('\ufffd');
  });

  it('quotes nothing of the value, not even in a cause', () => {
    const error = thrownBy(() => decodeJson(Buffer.from('4111 1111')));
    expect(error.message).not.toContain('4111');
    expect(error.cause).toBeUndefined();
  });
});
