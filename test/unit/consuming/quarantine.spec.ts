import { describe, expect, it } from '@jest/globals';

import { Quarantine } from '../../../lib/consuming/quarantine.js';
import type { HandlerRef } from '../../../lib/observability/observer.js';
import { settle } from '../../support/engine-events.js';

function suspect(eventId: string): HandlerRef {
  const place = { groupId: 'g', topic: 't', partition: 0, offset: 0n };
  return { ...place, handlerId: 'h', eventId, eventType: 'order.created.v1' };
}

function interruption() {
  const listeners = new Set<() => void>();
  return {
    onInterrupt: (fn: () => void) => {
      listeners.add(fn);
      return () => listeners.delete(fn);
    },
    interrupt: () => {
      const called = [...listeners];
      listeners.clear();
      for (const fn of called) fn();
    },
    listeners,
  };
}

describe('Quarantine', () => {
  it('is entered at once where nothing runs, and else when the last has ended', async () => {
    const quarantine = new Quarantine();
    const { onInterrupt } = interruption();
    await expect(quarantine.enter(suspect('a'), { onInterrupt })).resolves.toBe(true);
    quarantine.leave();
    quarantine.began();
    quarantine.began();
    let entered = false;
    const entering = quarantine.enter(suspect('b'), { onInterrupt }).then(() => (entered = true));
    expect(quarantine.closed).toBe(true);
    quarantine.ended();
    await settle();
    expect(entered).toBe(false);
    quarantine.ended();
    await entering;
  });

  it('is one suspect’s at a time, in their order, and stays closed in between', async () => {
    const quarantine = new Quarantine();
    const { onInterrupt, listeners } = interruption();
    const order: string[] = [];
    const entering = ['a', 'b', 'c'].map(async (name) => {
      await quarantine.enter(suspect(name), { onInterrupt });
      order.push(name);
    });
    let opened = false;
    const opening = quarantine.whenOpen({ onInterrupt }).then(() => (opened = true));
    for (const expected of [['a'], ['a', 'b'], ['a', 'b', 'c']]) {
      await settle();
      expect(order).toEqual(expected);
      expect(quarantine.suspect?.eventId).toBe(expected.at(-1));
      expect(opened).toBe(false);
      quarantine.leave();
      expect(quarantine.closed).toBe(expected.length < 3);
    }
    await Promise.all([...entering, opening]);
    expect(listeners.size).toBe(0);
  });

  it('gives up waiting when interrupted, and opens for the others', async () => {
    const quarantine = new Quarantine();
    const [first, second, other] = [interruption(), interruption(), interruption()];
    quarantine.began();
    const entering = quarantine.enter(suspect('a'), first);
    const queueing = quarantine.enter(suspect('b'), second);
    const waiting = quarantine.whenOpen(other);
    second.interrupt();
    await expect(queueing).resolves.toBe(false);
    first.interrupt();
    await expect(entering).resolves.toBe(false);
    await expect(waiting).resolves.toBe(true);
    expect(quarantine.closed).toBe(false);
    expect(quarantine.suspect).toBeNull();
    for (const each of [first, second, other]) expect(each.listeners.size).toBe(0);
  });

  it('lets the others stop waiting when they are interrupted', async () => {
    const quarantine = new Quarantine();
    const { onInterrupt } = interruption();
    await quarantine.enter(suspect('a'), { onInterrupt });
    const other = interruption();
    const waiting = quarantine.whenOpen(other);
    other.interrupt();
    await expect(waiting).resolves.toBe(false);
    expect(quarantine.closed).toBe(true);
  });
});
