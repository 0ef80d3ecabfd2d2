import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';

import { MemoryIdempotencyStore } from '../../../lib/idempotency/memory-idempotency-store.js';
import { ManualClock } from '../../support/manual-clock.js';
import { NaiveStore } from '../../support/naive-store.js';

const key = fc.constantFrom('a', 'b', 'c');
const token = fc.constantFrom('t1', 't2', 't3');
const leaseMs = fc.constantFrom(5, 10);
const retentionMs = fc.constantFrom(5, 10, 40);
const level = fc.nat(2);
const state = fc.constantFrom('done' as const, 'parked' as const, 'dead' as const);
const few = { minLength: 1, maxLength: 3 };

const command = fc.oneof(
  fc.record({ claim: fc.array(fc.record({ key, token, leaseMs, level, retentionMs }), few) }),
  fc.record({ complete: fc.array(fc.record({ key, token, state, level, retentionMs }), few) }),
  fc.record({
    release: fc.array(fc.record({ key, token, attempts: fc.nat(5), retentionMs }), few),
  }),
  fc.record({ renew: fc.array(fc.record({ key, token, leaseMs }), few) }),
  fc.record({ refresh: fc.array(fc.record({ key, retentionMs }), few) }),
  fc.record({ advance: fc.integer({ min: 1, max: 12 }) }),
);

describe('MemoryIdempotencyStore against a naive model', () => {
  it('answers every history of calls as the state table says', () => {
    fc.assert(
      fc.property(fc.array(command, { maxLength: 60 }), (commands) => {
        const clock = new ManualClock(0);
        const store = new MemoryIdempotencyStore({ clock, maxEntries: 3 });
        const model = new NaiveStore(clock, { suspects: false });
        for (const step of commands) {
          if ('claim' in step) {
            expect(store.claim(step.claim)).toEqual(model.claim(step.claim));
          } else if ('complete' in step) {
            expect(store.complete(step.complete)).toEqual(model.complete(step.complete));
          } else if ('release' in step) {
            store.release(step.release);
            model.release(step.release);
          } else if ('renew' in step) {
            expect(store.renew(step.renew)).toEqual(model.renew(step.renew));
          } else if ('refresh' in step) {
            store.refresh(step.refresh);
            model.refresh(step.refresh);
          } else clock.advance(step.advance);
          expect(store.size).toBeGreaterThanOrEqual(model.size);
        }
      }),
      { numRuns: 2000 },
    );
  });
});
