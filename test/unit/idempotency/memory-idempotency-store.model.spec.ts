import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';

import type {
  ClaimAnswer,
  ClaimRequest,
  Completion,
  Release,
  Renewal,
} from '../../../lib/idempotency/idempotency-store.js';
import { MemoryIdempotencyStore } from '../../../lib/idempotency/memory-idempotency-store.js';
import { ManualClock } from '../../support/manual-clock.js';

interface ModelEntry {
  state: 'claimed' | 'free' | 'done' | 'parked' | 'dead';
  token: string;
  level: number;
  attempts: number;
  attemptsKeptMs: number;
  leaseUntil: number;
  forgetAt: number;
}

/** The port's state table read aloud: no queues, no limits, no thought of speed. */
class NaiveStore {
  readonly entries = new Map<string, ModelEntry>();
  constructor(private readonly clock: ManualClock) {}

  forgetDue(): void {
    for (const [key, { forgetAt }] of this.entries) {
      if (forgetAt <= this.clock.now()) this.entries.delete(key);
    }
  }

  claim({ key, token, leaseMs, level }: ClaimRequest): ClaimAnswer {
    const now = this.clock.now();
    const known = this.entries.get(key);
    if (known?.state === 'claimed' && known.token !== token && known.leaseUntil > now) {
      return { status: 'in-progress', leaseMs: known.leaseUntil - now };
    }
    if (known?.state === 'done') return { status: 'done' };
    if ((known?.state === 'parked' || known?.state === 'dead') && level <= known.level) {
      return { status: known.state };
    }
    const failed = known?.state === 'free' || known?.state === 'claimed' ? known : null;
    const attempts = failed?.attempts ?? 0;
    const attemptsKeptMs = failed?.attemptsKeptMs ?? 0;
    const leaseUntil = now + leaseMs;
    const forgetAt = leaseUntil + Math.max(leaseMs, attemptsKeptMs);
    this.entries.set(key, {
      state: 'claimed',
      token,
      level,
      attempts,
      attemptsKeptMs,
      leaseUntil,
      forgetAt,
    });
    return { status: 'claimed', attempts };
  }

  complete({ key, token, state, level, retentionMs }: Completion): boolean {
    const known = this.entries.get(key);
    if (known !== undefined && known.state !== 'free' && known.token !== token) return false;
    const forgetAt = this.clock.now() + retentionMs;
    this.entries.set(key, {
      state,
      token,
      level,
      attempts: 0,
      attemptsKeptMs: 0,
      leaseUntil: 0,
      forgetAt,
    });
    return true;
  }

  release({ key, token, attempts, retentionMs }: Release): void {
    const known = this.entries.get(key);
    if (known?.state !== 'claimed' || known.token !== token) return;
    known.state = 'free';
    known.attempts = attempts;
    known.attemptsKeptMs = retentionMs;
    known.forgetAt = this.clock.now() + retentionMs;
  }

  renew({ key, token, leaseMs }: Renewal): boolean {
    const known = this.entries.get(key);
    if (known?.state !== 'claimed' || known.token !== token) return false;
    known.leaseUntil = this.clock.now() + leaseMs;
    known.forgetAt = known.leaseUntil + Math.max(leaseMs, known.attemptsKeptMs);
    return true;
  }
}

const key = fc.constantFrom('a', 'b', 'c');
const token = fc.constantFrom('t1', 't2', 't3');
const leaseMs = fc.constantFrom(5, 10);
const retentionMs = fc.constantFrom(5, 10, 40);
const level = fc.nat(2);
const state = fc.constantFrom('done' as const, 'parked' as const, 'dead' as const);
const few = { minLength: 1, maxLength: 3 };

const command = fc.oneof(
  fc.record({ claim: fc.array(fc.record({ key, token, leaseMs, level }), few) }),
  fc.record({ complete: fc.array(fc.record({ key, token, state, level, retentionMs }), few) }),
  fc.record({
    release: fc.array(fc.record({ key, token, attempts: fc.nat(5), retentionMs }), few),
  }),
  fc.record({ renew: fc.array(fc.record({ key, token, leaseMs }), few) }),
  fc.record({ advance: fc.integer({ min: 1, max: 12 }) }),
);

describe('MemoryIdempotencyStore against a naive model', () => {
  it('answers every history of calls as the state table says', () => {
    fc.assert(
      fc.property(fc.array(command, { maxLength: 60 }), (commands) => {
        const clock = new ManualClock(0);
        const store = new MemoryIdempotencyStore({ clock, maxEntries: 3 });
        const model = new NaiveStore(clock);
        for (const step of commands) {
          model.forgetDue();
          if ('claim' in step) {
            expect(store.claim(step.claim)).toEqual(step.claim.map((one) => model.claim(one)));
          } else if ('complete' in step) {
            const expected = step.complete.map((one) => model.complete(one));
            expect(store.complete(step.complete)).toEqual(expected);
          } else if ('release' in step) {
            store.release(step.release);
            for (const one of step.release) model.release(one);
          } else if ('renew' in step) {
            expect(store.renew(step.renew)).toEqual(step.renew.map((one) => model.renew(one)));
          } else clock.advance(step.advance);
          expect(store.size).toBeGreaterThanOrEqual(
            [...model.entries.values()].filter(({ forgetAt }) => forgetAt > clock.now()).length,
          );
        }
      }),
      { numRuns: 2000 },
    );
  });
});
