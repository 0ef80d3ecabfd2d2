import { describe, expect, it, jest } from '@jest/globals';

import { MemoryIdempotencyStore } from '../../../lib/idempotency/memory-idempotency-store.js';
import { ManualClock } from '../../support/manual-clock.js';

const LEASE_MS = 30_000;
const WINDOW_MS = 1_800_000;

function setUp(maxEntries: number) {
  const clock = new ManualClock(0);
  const onEvict = jest.fn<(evicted: number) => void>();
  const store = new MemoryIdempotencyStore({ maxEntries, clock });
  store.onEvict(onEvict);
  const claim = (key: string, token = `token ${key}`) =>
    store.claim([{ key, token, leaseMs: LEASE_MS, level: 0, retentionMs: WINDOW_MS }])[0];
  const finish = (key: string, retentionMs = WINDOW_MS) => {
    claim(key);
    store.complete([{ key, token: `token ${key}`, state: 'done', level: 0, retentionMs }]);
  };
  const release = (key: string, attempts: number) => {
    store.release([{ key, token: `token ${key}`, attempts, retentionMs: WINDOW_MS }]);
  };
  return { clock, onEvict, store, claim, finish, release };
}

describe('MemoryIdempotencyStore', () => {
  it('answers in process, without promises and without timers', () => {
    const { store, clock, claim, finish } = setUp(10);
    expect(store.inProcess).toBe(true);
    expect(claim('a')).toEqual({ status: 'claimed', attempts: 0 });
    finish('b');
    expect(clock.pending).toBe(0);
  });

  it('makes room by forgetting the mark nearest to its end, and reports it', () => {
    const { onEvict, claim, finish } = setUp(3);
    finish('long', WINDOW_MS);
    finish('short', 1000);
    finish('other', WINDOW_MS);
    expect(onEvict).not.toHaveBeenCalled();
    finish('one more');
    expect(onEvict.mock.calls).toEqual([[1]]);
    expect(claim('long')).toEqual({ status: 'done' });
    expect(claim('other')).toEqual({ status: 'done' });
    expect(claim('short')).toEqual({ status: 'claimed', attempts: 0 });
  });

  it('reports once for a call that evicts many', () => {
    const { store, onEvict, finish } = setUp(3);
    for (const key of ['a', 'b', 'c']) finish(key);
    store.claim(
      ['d', 'e'].map((key) => ({
        key,
        token: key,
        leaseMs: LEASE_MS,
        level: 0,
        retentionMs: WINDOW_MS,
      })),
    );
    expect(onEvict.mock.calls).toEqual([[2]]);
    expect(store.size).toBe(3);
  });

  it('never forgets a running claim, however full it is', () => {
    const { store, onEvict, claim } = setUp(2);
    for (const key of ['a', 'b', 'c', 'd']) claim(key);
    expect(store.size).toBe(4);
    expect(onEvict).not.toHaveBeenCalled();
    for (const key of ['a', 'b', 'c', 'd']) {
      expect(claim(key, 'other')).toEqual({ status: 'in-progress', leaseMs: LEASE_MS });
    }
  });

  it('reports no eviction for what was only free, or due anyway', () => {
    const { clock, onEvict, claim, finish, release, store } = setUp(1);
    claim('failed');
    release('failed', 2);
    finish('a', 1000);
    expect(store.size).toBe(1);
    clock.advance(1000);
    finish('b', 1000);
    expect(onEvict).not.toHaveBeenCalled();
  });

  it('reports no eviction of marks that were due but not yet forgotten', () => {
    const { clock, onEvict, store, finish } = setUp(20);
    for (let i = 0; i < 20; i++) finish(`old ${i}`, 1000);
    clock.advance(1000);
    store.claim(
      Array.from({ length: 20 }, (_, i) => ({
        key: `new ${i}`,
        token: 't',
        leaseMs: LEASE_MS,
        level: 0,
        retentionMs: WINDOW_MS,
      })),
    );
    expect(store.size).toBe(20);
    expect(onEvict).not.toHaveBeenCalled();
  });

  it('keeps the attempts of an abandoned claim for its retention', () => {
    const { clock, claim, release } = setUp(10);
    claim('a');
    release('a', 3);
    claim('a');
    clock.advance(LEASE_MS + WINDOW_MS - 1);
    expect(claim('a')).toEqual({ status: 'claimed', attempts: 3 });
    clock.advance(LEASE_MS + WINDOW_MS);
    expect(claim('a')).toEqual({ status: 'claimed', attempts: 0 });
  });

  it('keeps no attempts of what was reopened', () => {
    const { clock, store, claim, release } = setUp(10);
    claim('a');
    release('a', 3);
    const mark = { key: 'a', token: 'b', level: 0, retentionMs: WINDOW_MS };
    store.complete([{ ...mark, state: 'parked' }]);
    store.claim([{ key: 'a', token: 'c', leaseMs: LEASE_MS, level: 1, retentionMs: 1 }]);
    clock.advance(2 * LEASE_MS);
    claim('b');
    expect(store.size).toBe(1);
  });

  it('forgets finished events after their window, a few at a time, while claiming', () => {
    const { clock, store, claim, finish } = setUp(1000);
    for (let i = 0; i < 100; i++) finish(`old ${i}`);
    clock.advance(WINDOW_MS - 1);
    expect(claim('old 0')).toEqual({ status: 'done' });
    clock.advance(1);
    expect(claim('old 99')).toEqual({ status: 'claimed', attempts: 0 });
    expect(store.size).toBeGreaterThan(90);
    for (let i = 0; i < 20; i++) finish(`new ${i}`);
    expect(store.size).toBe(21);
  });

  it('forgets abandoned claims when their retention is over', () => {
    const { clock, store, claim } = setUp(1000);
    claim('abandoned');
    clock.advance(LEASE_MS + WINDOW_MS - 1);
    claim('x');
    expect(store.size).toBe(2);
    clock.advance(1);
    claim('y');
    expect(store.size).toBe(2);
  });

  it('lets a holder renew a lease that ran out while nobody else has claimed', () => {
    const { clock, store, claim } = setUp(10);
    claim('a');
    clock.advance(LEASE_MS + 1);
    expect(store.renew([{ key: 'a', token: 'token a', leaseMs: LEASE_MS }])).toEqual([true]);
    expect(claim('a', 'other')).toEqual({ status: 'in-progress', leaseMs: LEASE_MS });
  });

  it.each([0, -1, 1.5, Number.NaN, 16_000_001])('refuses %p as maxEntries', (maxEntries) => {
    expect(() => new MemoryIdempotencyStore({ maxEntries })).toThrow(RangeError);
  });
});
