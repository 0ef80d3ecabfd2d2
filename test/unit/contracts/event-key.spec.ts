import { describe, expect, it } from '@jest/globals';

import { keyReader, type KeyValue } from '../../../lib/contracts/event-key.js';
import { InvalidPayloadError } from '../../../lib/kafka-events.errors.js';
import { thrownBy } from '../../support/thrown-by.js';

describe('keyReader', () => {
  it.each<[KeyValue, string]>([
    ['o-1', 'o-1'],
    [42, '42'],
    [0, '0'],
    [2n ** 64n, '18446744073709551616'],
  ])('writes %p as text', (value, text) => {
    expect(keyReader<{ id: KeyValue }>('id')({ id: value })).toBe(text);
    expect(keyReader<{ id: KeyValue }>((payload) => payload.id)({ id: value })).toBe(text);
  });

  it.each([undefined, null, '', Number.NaN, Number.POSITIVE_INFINITY, true, { id: 'secret' }])(
    'refuses %p, which would put unrelated aggregates into one lane',
    (value) => {
      const error = thrownBy(() => keyReader<{ id: unknown }>('id')({ id: value }));
      expect(error).toBeInstanceOf(InvalidPayloadError);
      expect(error.message).toContain('"id" must give the record\'s key');
      expect(error.message).not.toContain('secret');
    },
  );

  it('names a key function as such', () => {
    expect(() => keyReader<{ id: string }>((payload) => payload.id)({ id: '' })).toThrow(
      "the key function must give the record's key, a non-empty string or a number, but gives nothing",
    );
  });
});
