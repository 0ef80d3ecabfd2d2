import { describe, expect, it } from '@jest/globals';

import { Lease, type LeaseStore } from '../../../lib/contracts/lease.js';
import { settle } from '../../support/engine-events.js';
import { ManualClock } from '../../support/manual-clock.js';
import { WALL_TIME_STEPS } from '../../support/wall-time-steps.js';

const LEASE_MS = 3_000;
const REST_MS = 700;

/** A store that grants the lease when it is told to, and knows who has it. */
class SlowStore {
  holder: string | null = null;
  asked = 0;
  isAway = false;
  readonly #answers: (() => void)[] = [];

  of(owner: string): LeaseStore {
    return {
      take: () => {
        this.asked++;
        if (this.isAway) return Promise.reject(new Error('away'));
        return new Promise((resolve) => {
          this.#answers.push(() => {
            this.holder ??= owner;
            resolve(this.holder === owner ? null : REST_MS);
          });
        });
      },
      giveBack: () => {
        if (this.isAway) return Promise.reject(new Error('away'));
        if (this.holder === owner) this.holder = null;
        return Promise.resolve();
      },
    };
  }

  async answer(): Promise<void> {
    this.#answers.shift()?.();
    await settle();
  }
}

function start() {
  const store = new SlowStore();
  const clock = new ManualClock();
  const changes: boolean[] = [];
  const onChange = (held: boolean) => void changes.push(held);
  const lease = new Lease({ store: store.of('a'), leaseMs: LEASE_MS, clock, onChange });
  const take = async () => {
    const taken = lease.take();
    await store.answer();
    return taken;
  };
  return { store, lease, take, clock, changes };
}

describe('a lease', () => {
  it('is renewed every third of it, until it is given back', async () => {
    const { store, lease, take, clock, changes } = start();
    expect(await take()).toBeNull();
    for (let third = 1; third <= 5; third++) {
      clock.advance(LEASE_MS / 3);
      expect(store.asked).toBe(1 + third);
      await store.answer();
    }
    expect(lease.isHeld).toBe(true);
    await lease.giveBack();
    clock.advance(LEASE_MS);
    expect(store.asked).toBe(6);
    expect([store.holder, lease.isHeld]).toEqual([null, false]);
    expect(changes).toEqual([true, false]);
    expect(clock.pending).toBe(0);
  });

  it('is asked for once in a third, however often it is taken', async () => {
    const { store, lease, take, clock } = start();
    await take();
    clock.advance(LEASE_MS / 3 - 1);
    expect(await lease.take()).toBeNull();
    expect(store.asked).toBe(1);
  });

  it('says how long to wait while it is somebody else’s, and is theirs to lose', async () => {
    const { store, lease, take, clock, changes } = start();
    store.holder = 'b';
    expect(await take()).toBe(REST_MS);
    clock.advance(LEASE_MS);
    expect([store.asked, lease.isHeld, changes]).toEqual([1, false, []]);
    await lease.giveBack();
    expect(store.holder).toBe('b');
  });

  it('ends when it turns out to be somebody else’s', async () => {
    const { store, lease, take, clock, changes } = start();
    await take();
    store.holder = 'b';
    clock.advance(LEASE_MS / 3);
    await store.answer();
    expect([lease.isHeld, changes]).toEqual([false, [true, false]]);
    expect(clock.pending).toBe(0);
  });

  it('counts from before the question: an answer that took too long is too late', async () => {
    const { store, lease, clock, changes } = start();
    const taken = lease.take();
    clock.advance(LEASE_MS);
    await store.answer();
    expect(await taken).toBe(LEASE_MS / 3);
    expect([lease.isHeld, changes]).toEqual([false, []]);
  });

  it.each(WALL_TIME_STEPS)('ends on time where the time of day is set %s', async (_, stepMs) => {
    const { lease, take, clock, changes } = start();
    await take();
    clock.advance(LEASE_MS / 2);
    clock.stepWallTime(stepMs);
    // The store does not answer any more.
    clock.advance(LEASE_MS / 2 - 1);
    expect(lease.isHeld).toBe(true);
    clock.advance(1);
    expect(lease.isHeld).toBe(false);
    expect(changes).toEqual([true]);
  });

  it('outlives a store that is away for a moment, and ends with one that stays away', async () => {
    const { store, lease, take, clock, changes } = start();
    await take();
    store.isAway = true;
    await clock.advanceAsync(LEASE_MS / 3);
    store.isAway = false;
    await clock.advanceAsync(LEASE_MS / 3);
    await store.answer();
    expect([store.asked, lease.isHeld]).toEqual([3, true]);

    store.isAway = true;
    await clock.advanceAsync(LEASE_MS - 1);
    expect(lease.isHeld).toBe(true);
    await clock.advanceAsync(1);
    expect(lease.isHeld).toBe(false);
    await clock.advanceAsync(LEASE_MS);
    expect(changes).toEqual([true, false]);
    expect(clock.pending).toBe(0);
  });

  it('is not taken again by a question that was on its way when it was given back', async () => {
    const { store, lease, clock, changes } = start();
    const taken = lease.take();
    await lease.giveBack();
    await store.answer();

    expect(await taken).toBe(LEASE_MS / 3);
    expect(store.holder).toBeNull();
    clock.advance(LEASE_MS);
    expect(store.asked).toBe(1);
    expect(changes).toEqual([]);
  });

  it('is given back without a word of a store that is away', async () => {
    const { store, lease, take, clock } = start();
    await take();
    clock.advance(LEASE_MS / 3);
    store.isAway = true;
    await lease.giveBack();
    await store.answer();
    clock.advance(LEASE_MS);
    expect([store.asked, lease.isHeld, clock.pending]).toEqual([2, false, 0]);
  });
});
