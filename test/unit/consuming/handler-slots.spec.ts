import { describe, expect, it } from '@jest/globals';

import type { HandlerCourse } from '../../../lib/consuming/handler-course.js';
import { HandlerSlots } from '../../../lib/consuming/handler-slots.js';
import { Quarantine } from '../../../lib/consuming/quarantine.js';
import { Semaphore } from '../../../lib/consuming/semaphore.js';
import type { HandlerRef } from '../../../lib/observability/observer.js';
import { settle } from '../../support/engine-events.js';

const partition = { onInterrupt: () => () => undefined };

function courseOf(slots: Semaphore, suspect = false): HandlerCourse {
  return { runtime: { slots }, partition, suspect } as unknown as HandlerCourse;
}

function setUp(groupSlots: Semaphore | null = null) {
  const quarantine = new Quarantine();
  const guard = { admit: () => Promise.resolve(true) };
  const slots = new HandlerSlots(groupSlots, quarantine, guard);
  let alone = false;
  const enter = () => {
    const ref = { handlerId: 'h', eventId: 'suspect' } as HandlerRef;
    void quarantine.enter(ref, partition).then(() => (alone = true));
  };
  return { quarantine, slots, enter, isAlone: () => alone };
}

describe('HandlerSlots', () => {
  it('takes both or none', () => {
    const { slots } = setUp(new Semaphore(1));
    const own = new Semaphore(2);
    expect(slots.tryTake(courseOf(own))).toBe(true);
    expect(slots.tryTake(courseOf(own))).toBe(false);
    expect(own.inUse).toBe(1);
  });

  it.each([
    ['at once', (slots: HandlerSlots, course: HandlerCourse) => slots.tryTake(course)],
    ['after a wait', (slots: HandlerSlots, course: HandlerCourse) => slots.take(course)],
  ])('keeps a suspect from being alone from the moment they are taken: %s', async (_, take) => {
    const { slots, quarantine, enter, isAlone } = setUp();
    const taking = Promise.resolve(take(slots, courseOf(new Semaphore(1))));
    // Before whoever took them hears of it.
    void Promise.resolve().then(() => Promise.resolve().then(enter));
    await expect(taking).resolves.toBe(true);
    await settle();
    expect(quarantine.closed).toBe(true);
    expect(isAlone()).toBe(false);
    quarantine.ended();
    await settle();
    expect(isAlone()).toBe(true);
  });

  it('gives none to others while a suspect is alone', async () => {
    const { slots, quarantine, enter, isAlone } = setUp();
    enter();
    await settle();
    expect(isAlone()).toBe(true);
    const own = new Semaphore(1);
    expect(slots.tryTake(courseOf(own))).toBe(false);
    let taken = false;
    void slots.take(courseOf(own)).then(() => (taken = true));
    await settle();
    expect(taken).toBe(false);
    expect(own.inUse).toBe(0);
    quarantine.leave();
    await settle();
    expect(taken).toBe(true);
  });
});
