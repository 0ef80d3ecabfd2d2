import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';

import {
  BatchEntry,
  BatchQueue,
  heldUpBy,
  NOT_BY_TIME,
  sizeTogether,
} from '../../../../lib/consuming/batch/batch-queue.js';
import type { HandlerCourse } from '../../../../lib/consuming/handler-course.js';

/** Entries by key; '-' is none. All of them wait since their place. */
function queueOf(keys: readonly string[]): { queue: BatchQueue; entries: BatchEntry[] } {
  const queue = new BatchQueue();
  const entries = keys.map((key, place) => {
    const record = { key: key === '-' ? null : Buffer.from(key) };
    const entry = new BatchEntry(
      { delivery: { envelope: { record } } } as unknown as HandlerCourse,
      place,
      place,
    );
    queue.push(entry);
    return entry;
  });
  return { queue, entries };
}

function placesOf(entries: Iterable<BatchEntry>): number[] {
  return [...entries].map(({ place }) => place);
}

function delay(entry: BatchEntry | undefined, readyAt: number): void {
  if (entry !== undefined) entry.readyAt = readyAt;
}

describe('the next batch', () => {
  it('is the oldest records, as many as there is room for', () => {
    const { queue } = queueOf(['a', 'b', 'a', '-']);

    expect(queue.choose(3, 10)).toMatchObject({ room: 0, since: 0 });
    expect(placesOf(queue.choose(3, 10).entries)).toEqual([0, 1, 2]);
    expect(queue.choose(9, 10).room).toBe(5);
    expect(queue.size).toBe(4);
  });

  it('leaves out what is not ready, and the later ones of its key', () => {
    const { queue, entries } = queueOf(['a', 'b', 'a', '-', 'b']);
    delay(entries[0], 50);
    const early = queue.choose(9, 49);

    expect(placesOf(early.entries)).toEqual([1, 3, 4]);
    expect(placesOf(queue.choose(9, 50).entries)).toEqual([0, 1, 2, 3, 4]);
  });

  it('says when something is due where nothing is ready', () => {
    const { queue, entries } = queueOf(['a', 'b', '-']);
    delay(entries[0], NOT_BY_TIME);
    delay(entries[1], 80);
    delay(entries[2], 60);

    expect(queue.choose(9, 10)).toMatchObject({ entries: [], dueAt: 60 });
  });

  it('is no larger than the smallest share of those in it', () => {
    const { queue, entries } = queueOf(['a', 'b', 'c', 'd', 'e']);
    for (const entry of entries.slice(2)) entry.share = 3;
    expect(placesOf(queue.choose(9, 10).entries)).toEqual([0, 1, 2]);
    for (const entry of entries.slice(1, 2)) entry.share = 1;
    expect(placesOf(queue.choose(9, 10).entries)).toEqual([0]);
    expect(queue.choose(9, 10).room).toBe(0);
    for (const entry of entries.slice(0, 1)) entry.share = 2;
    expect(placesOf(queue.choose(9, 10).entries)).toEqual([0]);
    for (const entry of entries.slice(1)) entry.share = 9;
    expect(placesOf(queue.choose(9, 10).entries)).toEqual([0, 1]);
    for (const entry of entries.slice(2)) entry.share = 3;
    for (const entry of entries.slice(1, 2)) entry.share = 1;
    expect(sizeTogether(entries)).toBe(1);
    expect(sizeTogether(entries.slice(2))).toBe(3);
  });
});

it('puts back what was taken, each in its place', () => {
  const { queue, entries } = queueOf(['a', 'b', 'c', 'd']);
  queue.take(entries.slice(0, 1));
  queue.take(entries.slice(2, 3));
  expect(placesOf(queue)).toEqual([1, 3]);
  queue.putBack([...entries.slice(2, 3), ...entries.slice(0, 1)]);
  queue.remove(queue.choose(1, 0).entries[0] ?? new BatchEntry({} as HandlerCourse, 9, 9));

  expect(placesOf(queue)).toEqual([1, 2, 3]);
});

it('knows who comes after a waiting record of the same key', () => {
  const { entries } = queueOf(['a', 'b', 'a', '-', 'b']);
  const waiting = entries.filter(({ place }) => place === 1 || place === 3);
  const others = entries.filter((entry) => !waiting.includes(entry));

  expect(placesOf(heldUpBy(waiting, others))).toEqual([4]);
  expect(heldUpBy([], others).size).toBe(0);
});

it('never lets a record pass an older one of its key, whoever waits', () => {
  const some = fc.record({ key: fc.constantFrom('a', 'b', 'c', '-'), ready: fc.boolean() });
  fc.assert(
    fc.property(fc.array(some, { maxLength: 40 }), fc.integer({ min: 1, max: 10 }), (all, max) => {
      const { queue, entries } = queueOf(all.map(({ key }) => key));
      entries.forEach((entry, i) => {
        delay(entry, all[i]?.ready === true ? 0 : 100);
      });
      const chosen = placesOf(queue.choose(max, 10).entries);

      expect(chosen.length).toBeLessThanOrEqual(max);
      for (const place of chosen) {
        const { key } = all[place] ?? {};
        const older = all.slice(0, place).map((each, i) => ({ ...each, i }));
        const passed = older.filter((each) => each.key === key && !chosen.includes(each.i));
        expect(key === '-' ? [] : passed).toEqual([]);
        expect(all[place]?.ready).toBe(true);
      }
    }),
  );
});
