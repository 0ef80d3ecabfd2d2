import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';

import { Lanes, type LaneEntry } from '../../../lib/consuming/lanes.js';

class Entry implements LaneEntry {
  nextInLane: this | null = null;
  constructor(
    readonly laneKey: string | null,
    readonly seq: number,
  ) {}
}

describe('Lanes', () => {
  it('starts one entry of a key and names the next when it is finished', () => {
    const lanes = new Lanes<Entry>();
    const [a, b] = [new Entry('k', 1), new Entry('k', 2)];
    expect(lanes.push(a)).toBe(true);
    expect(lanes.push(b)).toBe(false);
    expect(lanes.finish(a)).toBe(b);
    expect(lanes.finish(b)).toBeNull();
    expect(lanes.size).toBe(0);
  });

  it('gives entries without a key a lane of their own', () => {
    const lanes = new Lanes<Entry>();
    expect(lanes.push(new Entry(null, 1))).toBe(true);
    expect(lanes.push(new Entry(null, 2))).toBe(true);
    expect(lanes.size).toBe(0);
  });

  it('runs every entry once, those of one key one at a time and in order', () => {
    const keys = fc.array(fc.constantFrom('a', 'b', 'c', null), { maxLength: 200 });
    const script = fc.array(fc.nat(), { minLength: 1, maxLength: 50 });
    fc.assert(
      fc.property(keys, script, (arrivals, choices) => {
        const lanes = new Lanes<Entry>();
        const running: Entry[] = [];
        const done: Entry[] = [];
        let choice = 0;
        const finishOne = (): void => {
          const at = (choices[choice++ % choices.length] ?? 0) % running.length;
          for (const entry of running.splice(at, 1)) {
            done.push(entry);
            const next = lanes.finish(entry);
            if (next !== null) running.push(next);
          }
        };
        arrivals.forEach((key, seq) => {
          const entry = new Entry(key, seq);
          if (lanes.push(entry)) running.push(entry);
          const keyed = running.map(({ laneKey }) => laneKey).filter((each) => each !== null);
          expect(new Set(keyed).size).toBe(keyed.length);
          if ((choices[seq % choices.length] ?? 0) % 3 === 0 && running.length > 0) finishOne();
        });
        while (running.length > 0) finishOne();
        expect(done).toHaveLength(arrivals.length);
        for (const key of ['a', 'b', 'c']) {
          const order = done.filter(({ laneKey }) => laneKey === key).map(({ seq }) => seq);
          expect(order).toEqual([...order].sort((x, y) => x - y));
        }
        expect(lanes.size).toBe(0);
      }),
    );
  });
});
