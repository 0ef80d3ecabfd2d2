import { describe, expect, it } from '@jest/globals';
import { plannedEvent, fateOf, type Load } from '../../chaos/load.js';
import { SCENARIOS } from '../../chaos/scenarios.js';
import { drawTracks, FAULTS } from '../../chaos/schedule.js';

const SEEDS = Array.from({ length: 20 }, (_, seed) => seed);

describe.each(Object.entries(SCENARIOS))('the schedule of %s', (_, scenario) => {
  it('follows from its seed alone, and survives being written down', () => {
    for (const seed of SEEDS) {
      const schedule = scenario(seed, 5);
      expect(scenario(seed, 5)).toEqual(schedule);
      expect(JSON.parse(JSON.stringify(schedule))).toEqual(schedule);
    }
  });

  it('keeps its faults in time and in turn', () => {
    for (const seed of SEEDS) {
      const { tracks, durationMs } = scenario(seed, 2);
      for (const track of tracks) {
        const wrong = track.filter(({ kind, atMs, lastsMs, target }, i) => {
          const before = track[i - 1] ?? { atMs: 0, lastsMs: 0 };
          const [min, max] = FAULTS[kind];
          const isLong = kind !== 'downstream-away' && lastsMs > max;
          const isEarly = atMs < before.atMs + before.lastsMs;
          return isEarly || atMs >= durationMs || lastsMs < min || isLong || target >= 1_000;
        });
        expect(wrong).toEqual([]);
      }
    }
  });
});

describe('a drawn schedule', () => {
  it('is another one for another seed', () => {
    const drawn = SEEDS.map((seed) => JSON.stringify(SCENARIOS.chaos(seed, 2).tracks));
    expect(new Set(drawn).size).toBe(SEEDS.length);
  });

  it('has every kind of its track before one comes again', () => {
    const kinds = ['broker-killed', 'leaders-moved', 'redis-killed'] as const;
    for (const seed of SEEDS) {
      const [track = []] = drawTracks(seed, 600_000, [{ kinds, pauseMs: [0, 1_000] }]);
      const drawn = track.map(({ kind }) => kind);
      expect(drawn.length).toBeGreaterThan(2 * kinds.length);
      expect(drawn.slice(0, 3).sort()).toEqual([...kinds]);
      expect(drawn.slice(3, 6).sort()).toEqual([...kinds]);
    }
  });
});

describe('the load of a schedule', () => {
  const load: Load = {
    ...{ seed: 3, producers: 2, perSecond: 100, keys: 20 },
    oneIn: { refused: 10, 'fails-once': 4 },
  };
  const events = Array.from({ length: 4_000 }, (_, n) => plannedEvent(load, 1, n));

  it('follows from the seed alone, and a fate from the id of an event', () => {
    expect(events.map((_, n) => plannedEvent(load, 1, n))).toEqual(events);
    expect(events.map(({ eventId }) => fateOf(load, eventId))).toEqual(
      events.map(({ fate }) => fate),
    );
    expect(plannedEvent({ ...load, seed: 4 }, 1, 7)).not.toEqual(events[7]);
  });

  it('has each fate about as often as it says, and all keys', () => {
    const count = (fate: string): number => events.filter((each) => each.fate === fate).length;
    expect(count('refused') / 400).toBeCloseTo(1, 0);
    expect(count('fails-once') / 1_000).toBeCloseTo(1, 0);
    expect(count('succeeds') / 2_600).toBeCloseTo(1, 0);
    expect(new Set(events.map(({ orderId }) => orderId)).size).toBe(20);
  });

  it('knows no event that nobody planned', () => {
    expect(() => fateOf(load, '2-0')).toThrow('nobody planned');
    expect(() => fateOf(load, 'something')).toThrow('nobody planned');
  });
});
