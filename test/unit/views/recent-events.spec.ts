import { describe, expect, it } from '@jest/globals';

import { isRecent, markOf, withRecent } from '../../../lib/views/recent-events.js';

const event = { topic: 'stock', eventType: 'stock.moved.v1', source: null, eventId: 'e1' };

describe('what a row remembers', () => {
  it('are its latest 32 events', () => {
    const marks = Array.from({ length: 40 }, (_, i) =>
      markOf({ ...event, eventId: `e${String(i)}` }),
    );
    const recent = marks.reduce(withRecent, '');
    expect(marks.map((mark) => isRecent(recent, mark))).toEqual(marks.map((_, i) => i >= 8));
    expect(isRecent('', marks[0] ?? '')).toBe(false);
  });

  it('finds nothing between two of them', () => {
    expect(isRecent('aaaaaaaaaabbbbbbbbbbbbcc', 'bbbbbbbbbbbb')).toBe(false);
  });

  it('tells events apart as claims do, by type, topic, source and id', () => {
    const others = [
      event,
      { ...event, topic: 'zoo' },
      { ...event, eventType: 'stock.moved.v2' },
      { ...event, source: 'shop' },
      { ...event, eventId: 'e2' },
    ];
    const marks = others.map(markOf);
    expect(new Set(marks).size).toBe(others.length);
    expect(markOf({ ...event })).toBe(marks[0]);
    expect(marks.every((mark) => /^[\w-]{12}$/.test(mark))).toBe(true);
    expect(markOf({ ...event, eventId: 'é\u0000'.repeat(1_000) })).toHaveLength(12);
  });
});
