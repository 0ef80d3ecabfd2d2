import { describe, expect, it } from '@jest/globals';

import { OutboxLease } from '../../../lib/outbox/outbox-lease.js';
import { settle } from '../../support/engine-events.js';
import { ManualClock } from '../../support/manual-clock.js';
import { WALL_TIME_STEPS } from '../../support/wall-time-steps.js';

const LEASE_MS = 3_000;

/** A store that grants the lease when it is told to, and knows who has it. */
class SlowStore {
  holder: string | null = null;
  asked = 0;
  readonly #answers: (() => void)[] = [];

  lead(owner: string): Promise<boolean> {
    this.asked++;
    return new Promise((resolve) => {
      this.#answers.push(() => {
        this.holder ??= owner;
        resolve(this.holder === owner);
      });
    });
  }

  resign(owner: string): Promise<void> {
    if (this.holder === owner) this.holder = null;
    return Promise.resolve();
  }

  grant(): void {
    this.#answers.shift()?.();
  }
}

function leaseOf(store: SlowStore) {
  const clock = new ManualClock();
  const changes: boolean[] = [];
  const onChange = (leading: boolean) => void changes.push(leading);
  const lease = new OutboxLease({ store, owner: 'a', leaseMs: LEASE_MS, clock, onChange });
  return { lease, clock, changes };
}

describe('OutboxLease', () => {
  it('is renewed every third of it, until it is given back', async () => {
    const store = new SlowStore();
    const { lease, clock, changes } = leaseOf(store);
    const taken = lease.take();
    store.grant();
    expect(await taken).toBe(true);
    clock.advance(LEASE_MS / 3);
    expect(store.asked).toBe(2);
    store.grant();
    await settle();
    await lease.resign();
    clock.advance(LEASE_MS);
    expect(store.asked).toBe(2);
    expect([store.holder, lease.isHeld]).toEqual([null, false]);
    expect(changes).toEqual([true, false]);
  });

  it.each(WALL_TIME_STEPS)('ends on time where the time of day is set %s', async (_, stepMs) => {
    const store = new SlowStore();
    const { lease, clock, changes } = leaseOf(store);
    const taken = lease.take();
    store.grant();
    await taken;
    clock.advance(LEASE_MS / 2);
    clock.stepWallTime(stepMs);
    // The store does not answer any more.
    clock.advance(LEASE_MS / 2 - 1);
    expect(lease.isHeld).toBe(true);
    clock.advance(1);
    expect(lease.isHeld).toBe(false);
    expect(changes).toEqual([true]);
  });

  it('is not taken again by a question that was on its way when it was given back', async () => {
    const store = new SlowStore();
    const { lease, clock, changes } = leaseOf(store);
    const taken = lease.take();
    await lease.resign();
    store.grant();

    expect(await taken).toBe(false);
    await settle();
    expect(store.holder).toBeNull();
    clock.advance(LEASE_MS);
    expect(store.asked).toBe(1);
    expect(changes).toEqual([]);
  });
});
