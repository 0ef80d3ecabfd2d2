import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';

import { deterministicEventId } from '../../../lib/contracts/deterministic-id.js';

describe('deterministicEventId', () => {
  // Computed by Python's uuid.uuid5. They must never change: consumers dedup by them.
  it.each([
    [['e-1', 'Orders.reserve', 'stock.reserved.v1', '#0'], 'e3376a8e-eef6-506d-93e8-caeec866c1e5'],
    [['größe', '✓'], '4419dce6-607a-5187-84be-128d85d3e8e9'],
    [[], 'cd4da4fe-41eb-5095-95aa-8b61477878ce'],
  ])('of %j is %s', (parts, id) => {
    expect(deterministicEventId(parts)).toBe(id);
  });

  it('is a UUID of version 5 and the RFC 9562 variant', () => {
    fc.assert(
      fc.property(fc.array(fc.string()), (parts) => {
        expect(deterministicEventId(parts)).toMatch(
          /^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
        );
      }),
    );
  });

  it('tells apart parts that read the same when joined', () => {
    const parts = fc.array(fc.string({ unit: fc.constantFrom('a', ',', '"', '\\', '[') }), {
      maxLength: 4,
    });
    fc.assert(
      fc.property(parts, parts, (one, other) => {
        const same = one.length === other.length && one.every((part, i) => part === other[i]);
        expect(deterministicEventId(one) === deterministicEventId(other)).toBe(same);
      }),
      {
        examples: [
          [
            ['a', 'aa'],
            ['aa', 'a'],
          ],
          [['a', ''], ['a']],
        ],
        numRuns: 1000,
      },
    );
  });
});
