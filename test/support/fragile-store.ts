import { systemClock, type Clock } from '../../lib/contracts/clock.js';
import type { IdempotencyStore } from '../../lib/idempotency/idempotency-store.js';
import { MemoryIdempotencyStore } from '../../lib/idempotency/memory-idempotency-store.js';

export interface FragileStore extends IdempotencyStore {
  away: 'nothing' | 'completions' | 'everything' | 'answers to claims';
}

/** A store across a network that can be cut. */
export function fragileStore(clock: Clock = systemClock): FragileStore {
  const memory = new MemoryIdempotencyStore({ clock });
  const cut = (when: boolean): void => {
    if (when) throw new Error('store away');
  };
  const store: FragileStore = {
    name: 'fragile',
    inProcess: false,
    away: 'nothing',
    claim: async (requests) => {
      await Promise.resolve();
      cut(store.away === 'everything');
      const answers = memory.claim(requests);
      cut(store.away === 'answers to claims');
      return answers;
    },
    complete: async (completions) => {
      await Promise.resolve();
      cut(store.away === 'completions' || store.away === 'everything');
      return memory.complete(completions);
    },
    release: async (releases) => {
      await Promise.resolve();
      cut(store.away === 'everything');
      memory.release(releases);
    },
    renew: async (renewals) => {
      await Promise.resolve();
      cut(store.away === 'everything');
      return memory.renew(renewals);
    },
  };
  return store;
}
