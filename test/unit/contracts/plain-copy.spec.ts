import { describe, expect, it } from '@jest/globals';

import { plainCopy } from '../../../lib/contracts/plain-copy.js';

describe('plainCopy', () => {
  it('copies objects and arrays at every depth', () => {
    const value = { a: [{ b: 1 }], c: { d: null } };
    const copy = plainCopy(value) as typeof value;
    expect(copy).toEqual(value);
    expect(copy.a).not.toBe(value.a);
    expect(copy.a[0]).not.toBe(value.a[0]);
    expect(copy.c).not.toBe(value.c);
  });

  it('keeps the class of instances', () => {
    class Money {
      cents = 5;
      get euros() {
        return this.cents / 100;
      }
    }
    const copy = plainCopy({ price: new Money() }) as { price: Money };
    expect(copy.price).toBeInstanceOf(Money);
    expect(copy.price.euros).toBe(0.05);
  });

  it('shares built-ins', () => {
    const value = { at: new Date(), bytes: Buffer.from('x'), map: new Map(), set: new Set() };
    const copy = plainCopy(value) as typeof value;
    for (const key of ['at', 'bytes', 'map', 'set'] as const) expect(copy[key]).toBe(value[key]);
  });

  it('drops what would steer class-transformer or the prototype', () => {
    const copy = plainCopy(JSON.parse('{"constructor": 1, "__proto__": {"admin": true}, "a": 1}'));
    expect(Object.entries(copy as object)).toEqual([['a', 1]]);
    expect(copy).not.toHaveProperty('admin');
    expect((copy as object).constructor).toBe(Object);
  });

  it('refuses what is nested too deeply', () => {
    const nested = (depth: number): unknown => (depth === 0 ? {} : [nested(depth - 1)]);
    expect(plainCopy(nested(200))).toEqual(nested(200));
    expect(() => plainCopy(nested(201))).toThrow('is nested more than 200 levels deep');
  });

  it('refuses what contains itself', () => {
    const cyclic: Record<string, unknown> = {};
    cyclic.self = cyclic;
    expect(() => plainCopy(cyclic)).toThrow('or contains itself');
  });
});
