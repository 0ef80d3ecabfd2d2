import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';

import { ExpiryQueues, dequeue, type Expiring } from '../../../lib/idempotency/expiry-queues.js';

interface Item extends Expiring<Item> {
  readonly name: string;
}

function item(name: string): Item {
  return { name, dueAt: 0, queue: null, before: null, after: null };
}

function takeAll(queues: ExpiryQueues<Item>, now: number, limit = 100): string[] {
  const taken: string[] = [];
  queues.takeDue(now, limit, ({ name }) => taken.push(name));
  return taken;
}

describe('ExpiryQueues', () => {
  it('hands over what is due, at its very moment, once', () => {
    const queues = new ExpiryQueues<Item>();
    queues.add(item('slow'), 0, 100);
    queues.add(item('quick'), 0, 10);
    expect(takeAll(queues, 9)).toEqual([]);
    expect(takeAll(queues, 10)).toEqual(['quick']);
    expect(takeAll(queues, 10)).toEqual([]);
    expect(takeAll(queues, 100)).toEqual(['slow']);
  });

  it('hands over a limited number at a time, oldest first', () => {
    const queues = new ExpiryQueues<Item>();
    for (const name of ['a', 'b', 'c']) queues.add(item(name), 0, 10);
    expect(takeAll(queues, 50, 2)).toEqual(['a', 'b']);
    expect(takeAll(queues, 50, 2)).toEqual(['c']);
  });

  it('reuses the queue of a duration that is no longer in use', () => {
    const queues = new ExpiryQueues<Item>();
    for (let durationMs = 1; durationMs <= 50; durationMs++) {
      const entry = item(String(durationMs));
      queues.add(entry, 0, durationMs);
      expect(queues.first()).toBe(entry);
      dequeue(entry);
    }
    expect(queues.first()).toBeNull();
  });

  it('knows the first due and forgets what was taken out, in any order of adding and removing', () => {
    const step = fc.oneof(
      fc.record({ add: fc.constantFrom(1, 5, 20) }),
      fc.record({ remove: fc.nat() }),
      fc.record({ advance: fc.nat(6) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const queues = new ExpiryQueues<Item>();
        const waiting: Item[] = [];
        let now = 0;
        for (const [i, action] of steps.entries()) {
          if ('add' in action) {
            const entry = item(String(i));
            queues.add(entry, now, action.add);
            waiting.push(entry);
          } else if ('remove' in action) {
            const [entry] = waiting.splice(action.remove % Math.max(1, waiting.length), 1);
            if (entry !== undefined) dequeue(entry);
          } else {
            now += action.advance;
            const due = waiting.filter(({ dueAt }) => dueAt <= now).map(({ name }) => name);
            expect(new Set(takeAll(queues, now))).toEqual(new Set(due));
            waiting.splice(0, waiting.length, ...waiting.filter(({ dueAt }) => dueAt > now));
          }
          const earliest = Math.min(...waiting.map(({ dueAt }) => dueAt));
          expect(queues.first()?.dueAt ?? Infinity).toBe(earliest);
        }
      }),
    );
  });
});
