import { describe, expect, it } from '@jest/globals';

import { AdaptiveLimit, type AdaptivePolicy } from '../../../lib/consuming/adaptive-limit.js';
import { ManualClock } from '../../support/manual-clock.js';
import { seededRandom } from '../../support/seeded-random.js';

const POLICY: AdaptivePolicy = { min: 1, max: 1_000, tolerance: 1.5 };

/** What a handler calls: so many workers behind a queue without end. */
interface Server {
  workers: number;
  serviceMs: () => number;
  fails: () => boolean;
  /** Records there are to handle at once. */
  demand: number;
}

/** A handler with such a limit that calls such a server, always as often as it may. */
class Load {
  readonly clock = new ManualClock();
  readonly limit: AdaptiveLimit;
  readonly server: Server;
  readonly #queue: (() => void)[] = [];
  #inFlight = 0;
  #busy = 0;
  ended = 0;

  constructor(server: Partial<Server> = {}, policy: Partial<AdaptivePolicy> = {}) {
    const idle = { workers: 1, serviceMs: () => 10, fails: () => false };
    this.server = { ...idle, demand: Number.POSITIVE_INFINITY, ...server };
    this.limit = new AdaptiveLimit({ ...POLICY, ...policy }, this.clock);
  }

  /** Lets time pass; answers the mean of the limit in the second half of it. */
  during(ms: number): number {
    const [steps, limits] = [1_000, [] as number[]];
    for (let step = 0; step < steps; step++) {
      this.#start();
      this.clock.advance(ms / steps);
      limits.push(this.limit.limit);
    }
    const settled = limits.slice(steps / 2);
    return settled.reduce((sum, each) => sum + each, 0) / settled.length;
  }

  #start(): void {
    while (this.#inFlight < Math.min(this.limit.limit, this.server.demand)) {
      this.#inFlight++;
      const startedAt = this.clock.now();
      this.#queue.push(() => {
        this.#end(startedAt);
      });
      this.#serve();
    }
  }

  #serve(): void {
    while (this.#busy < this.server.workers) {
      const next = this.#queue.shift();
      if (next === undefined) return;
      this.#busy++;
      const failing = this.server.fails();
      this.clock.setTimeout(next, failing ? 1 : this.server.serviceMs());
    }
  }

  #end(startedAt: number): void {
    this.#busy--;
    const durationMs = Math.floor(this.clock.now()) - Math.floor(startedAt);
    const full = this.#inFlight >= this.limit.limit;
    this.limit.ended({
      startedAt: Math.floor(startedAt),
      durationMs,
      failed: this.server.fails(),
      full,
    });
    this.ended++;
    this.#inFlight--;
    this.#serve();
    this.#start();
  }
}

const SECOND = 1_000;

describe('an adaptive limit', () => {
  it.each([1, 3, 10, 100])('settles where %i workers are busy, and no more wait', (workers) => {
    const load = new Load({ workers });

    const settled = load.during(60 * SECOND);

    expect(settled).toBeGreaterThanOrEqual(workers);
    expect(settled).toBeLessThanOrEqual(2 * workers);
    // 10 ms each: what there is of throughput is used.
    expect(load.ended).toBeGreaterThan(0.9 * workers * 6_000);
  });

  it('does so, too, where calls take very different times', () => {
    const random = seededRandom(7);
    const load = new Load({ workers: 20, serviceMs: () => -Math.log(1 - random()) * 10 });

    const settled = load.during(60 * SECOND);

    expect(settled).toBeGreaterThanOrEqual(20);
    expect(settled).toBeLessThanOrEqual(40);
    expect(load.ended).toBeGreaterThan(0.9 * 20 * 6_000);
  });

  // In the middle of a window, wherever that is: it then holds calls of both kinds.
  it.each([30_000, 30_070, 30_140])(
    'goes back where a server loses workers after %i ms, and comes again with them',
    (ms) => {
      const load = new Load({ workers: 50 });
      load.during(ms);

      load.server.workers = 5;
      const lean = load.during(12 * SECOND);
      load.server.workers = 50;
      const again = load.during(60 * SECOND);

      expect(lean).toBeGreaterThanOrEqual(5);
      expect(lean).toBeLessThanOrEqual(10);
      expect(again).toBeGreaterThanOrEqual(50);
      expect(again).toBeLessThanOrEqual(100);
    },
  );

  it('keeps its number where calls get slower by themselves, and where they get quicker again', () => {
    const load = new Load({ workers: 20 });
    load.during(30 * SECOND);

    load.server.serviceMs = () => 40;
    const slow = load.during(120 * SECOND);
    expect(load.limit.floorMs).toBeGreaterThan(35);
    load.server.serviceMs = () => 10;
    const quick = load.during(60 * SECOND);

    for (const settled of [slow, quick]) {
      expect(settled).toBeGreaterThanOrEqual(20);
      expect(settled).toBeLessThanOrEqual(40);
    }
    expect(load.limit.floorMs).toBeLessThan(15);
  });

  it('finds the floor although it began where there was a queue already', () => {
    const load = new Load({ workers: 10 }, { min: 4 });
    load.server.workers = 1;
    load.during(5 * SECOND);
    load.server.workers = 10;

    const settled = load.during(60 * SECOND);

    expect(load.limit.floorMs).toBeCloseTo(10, 0);
    expect(settled).toBeGreaterThanOrEqual(10);
    expect(settled).toBeLessThanOrEqual(20);
  });

  it('does not grow where it is not needed, however long that lasts', () => {
    const load = new Load({ workers: 50, demand: 3 });
    load.during(60 * SECOND);
    const quiet = load.limit.limit;
    expect(quiet).toBeLessThanOrEqual(5);

    load.during(600 * SECOND);
    expect(load.limit.limit).toBe(quiet);

    load.server.demand = Number.POSITIVE_INFINITY;
    expect(load.during(30 * SECOND)).toBeGreaterThanOrEqual(50);
  });

  it('stays within its bounds', () => {
    const wide = new Load({ workers: 100 }, { max: 8 });
    expect(wide.during(20 * SECOND)).toBe(8);
    const narrow = new Load({ workers: 1 }, { min: 4, max: 8 });
    narrow.during(20 * SECOND);
    expect(narrow.limit.limit).toBeGreaterThanOrEqual(4);
    const none = new Load({ workers: 100 }, { min: 6, max: 6 });
    expect(none.during(20 * SECOND)).toBe(6);
  });

  it('goes back where many calls fail, however quickly they do, and not for a few', () => {
    const random = seededRandom(3);
    const load = new Load({ workers: 50, fails: () => random() < 0.01 });
    expect(load.during(30 * SECOND)).toBeGreaterThanOrEqual(45);

    load.server.fails = () => true;
    load.during(5 * SECOND);
    expect(load.limit.limit).toBe(1);

    load.server.fails = () => false;
    expect(load.during(30 * SECOND)).toBeGreaterThanOrEqual(45);
  });

  it('grows further where a call may take longer', () => {
    const load = new Load({ workers: 20 }, { tolerance: 3 });
    const settled = load.during(60 * SECOND);
    expect(settled).toBeGreaterThan(45);
    expect(settled).toBeLessThanOrEqual(60);
  });

  it('is content with calls that are quicker than the clock', () => {
    const load = new Load({ workers: 1_000, serviceMs: () => 0.2 }, { max: 64 });
    expect(load.during(1 * SECOND)).toBeGreaterThan(60);
  });
});
