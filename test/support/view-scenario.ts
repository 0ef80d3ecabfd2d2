import { expect } from '@jest/globals';
import fc from 'fast-check';

import type { ViewStore } from '../../lib/views/view-store.js';
import { settle } from './engine-events.js';
import { eventually } from './eventually.js';
import { faraway, KeptGeneration, REF, rowsOf, type Entry, type Weather } from './view-world.js';

const PARTITIONS = 2;

export type ViewMove =
  | {
      readonly kind: 'append';
      readonly partition: number;
      readonly key: number;
      readonly as: Entry['kind'];
    }
  | { readonly kind: 'copy'; readonly partition: number; readonly back: number }
  | {
      readonly kind: 'fetch';
      readonly owner: number;
      readonly partition: number;
      readonly max: number;
    }
  | { readonly kind: 'replace'; readonly owner: number }
  | { readonly kind: 'rebalance' | 'evict'; readonly owner: number }
  | { readonly kind: 'weather'; readonly weather: Weather }
  | { readonly kind: 'rebuild' | 'swap' | 'turn' };

/** How time passes for the store, and how much of it a freeze takes. */
export interface ScenarioTime {
  readonly freezeMs: number;
  advance(ms: number): Promise<void> | void;
}

const partition = fc.nat({ max: PARTITIONS - 1 });
const owner = fc.nat({ max: 1 });
const kind = <K extends string>(name: K) => fc.constant(name);

const move: fc.Arbitrary<ViewMove> = fc.oneof(
  {
    weight: 10,
    arbitrary: fc.record({
      kind: kind('append'),
      partition,
      key: fc.nat({ max: 2 }),
      as: fc.constantFrom<Entry['kind']>('add', 'add', 'add', 'add', 'delete', 'poison', 'refused'),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ kind: kind('copy'), partition, back: fc.integer({ min: 1, max: 8 }) }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      kind: kind('fetch'),
      owner,
      partition,
      max: fc.integer({ min: 1, max: 6 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: kind('replace'), owner }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('rebalance', 'evict'), owner }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: kind('weather'),
      weather: fc.constantFrom<Weather>('fine', 'fine', 'no call arrives', 'no answer arrives'),
    }),
  },
  { weight: 8, arbitrary: fc.record({ kind: kind('turn') }) },
  { weight: 1, arbitrary: fc.record({ kind: kind('rebuild') }) },
  { weight: 2, arbitrary: fc.record({ kind: kind('swap') }) },
);

/**
 * A view under a script of moves, checked after each against its log: consumers that take over from each other and go
 * on as zombies, a store that fails before and after it has written, poison, and rebuilds that are swapped in.
 */
class ViewScenario {
  readonly #log: Entry[][] = Array.from({ length: PARTITIONS }, () => []);
  #weather: Weather = 'fine';
  #generations: KeptGeneration[] = [];
  /** What readers have seen, by partition: how far it was. */
  #shown: number[] = Array.from({ length: PARTITIONS }, () => 0);
  #ids = 0;

  constructor(
    private readonly store: ViewStore,
    private readonly time: ScenarioTime,
  ) {}

  async open(): Promise<void> {
    const first = await this.#begin();
    expect(await this.store.swap(REF, first.id, [])).toBe(true);
  }

  async play(step: ViewMove): Promise<void> {
    switch (step.kind) {
      case 'append':
        this.#append(step);
        break;
      case 'copy':
        this.#copy(step);
        break;
      case 'fetch':
        for (const each of this.#generations) each.fetch(step.owner, step.partition, step.max);
        break;
      case 'replace':
        for (const each of this.#generations) await each.replace(step.owner);
        break;
      case 'rebalance':
        for (const { owners, partitions } of this.#generations) {
          await owners[step.owner]?.kafka.rebalance(partitions, 1);
        }
        break;
      case 'evict':
        for (const { owners, partitions } of this.#generations) {
          owners[step.owner]?.kafka.evict(partitions);
        }
        break;
      case 'weather':
        this.#weather = step.weather;
        break;
      case 'rebuild':
        if (this.#generations.length === 1) await this.#begin();
        break;
      case 'swap':
        await this.#trySwap();
        break;
      case 'turn':
        await settle(3);
    }
    await this.#check();
  }

  /** Nothing fails any more: all of it must be in the view, and a rebuild must end as the same. */
  async end(): Promise<void> {
    this.#weather = 'fine';
    await this.#pass();
    if (this.#generations.length === 1) await this.#begin();
    for (const each of this.#generations) await each.finish();
    await this.#check();
    const poison = this.#log.flat().filter((entry) => isPoison(entry));
    for (const { deadIds } of this.#generations) {
      expect([...deadIds].sort()).toEqual([...new Set(poison.map(({ id }) => id))].sort());
    }
    await this.#pass();
    const before = await this.#rows();
    expect(before).toEqual(
      rowsOf(
        this.#log,
        this.#log.map(({ length }) => length),
      ),
    );
    expect(await eventually(() => this.#trySwap())).toBe(true);
    expect(await this.#rows()).toEqual(before);
    for (const each of this.#generations) await each.stop();
  }

  #append({ partition: number, key, as }: Extract<ViewMove, { kind: 'append' }>): void {
    // Keys of one partition: of one that several change, no order is promised.
    const entry = {
      id: `e${String(this.#ids++)}`,
      key: `k${String(key)}-${String(number)}`,
      kind: as,
    };
    this.#write(number, entry);
  }

  /** A publisher repeats itself: what it wrote comes again, at another offset. */
  #copy({ partition: number, back }: Extract<ViewMove, { kind: 'copy' }>): void {
    const entry = this.#log[number]?.at(-back);
    if (entry !== undefined) this.#write(number, entry);
  }

  #write(number: number, entry: Entry): void {
    this.#log[number]?.push(entry);
    for (const each of this.#generations) each.append(number, entry);
  }

  async #begin(): Promise<KeptGeneration> {
    const id = await this.store.begin(REF, `g${String(this.#ids++)}`);
    const kept = new KeptGeneration(
      id,
      faraway(this.store, () => this.#weather),
      PARTITIONS,
    );
    this.#log.forEach((entries, number) => {
      for (const entry of entries) kept.append(number, entry);
    });
    await kept.replace(0);
    await kept.replace(1);
    this.#generations.push(kept);
    return kept;
  }

  async #trySwap(): Promise<boolean> {
    const [live, building] = this.#generations;
    if (live === undefined || building === undefined) return false;
    await this.#pass();
    await this.store.freeze(live.id, this.time.freezeMs);
    const known = building.partitions.flatMap(({ topic, partition: number, committed }) =>
      committed === null ? [] : [{ topic, partition: number, offset: committed }],
    );
    const swapped = await this.store.swap(REF, building.id, known);
    if (swapped) {
      this.#generations = [building];
      await live.stop();
    }
    return swapped;
  }

  /** Long enough for a freeze to be over, and another to be allowed. */
  async #pass(): Promise<void> {
    await this.time.advance(this.time.freezeMs * 2.1);
  }

  async #rows(): Promise<Record<string, unknown>> {
    const all = { prefix: '', after: '', where: {}, limit: 1_000 };
    const rows = (await this.store.list(REF, all)) ?? [];
    return Object.fromEntries(rows.map(({ key, json }) => [key, JSON.parse(json)]));
  }

  /** The view is what its log makes, up to where it says it is, which is never less than it was. */
  async #check(): Promise<void> {
    // One after the other: what changes between the two is looked at again.
    for (;;) {
      const before = await this.#livePositions();
      const rows = await this.#rows();
      const positions = await this.#livePositions();
      if (before.join() !== positions.join()) continue;
      expect(rows).toEqual(rowsOf(this.#log, positions));
      // Poison at its end is in no position: what readers see of it is nothing.
      const shown = positions.map((position, number) => this.#lastShown(number, position));
      shown.forEach((at, number) => {
        expect(at).toBeGreaterThanOrEqual(this.#shown[number] ?? 0);
      });
      this.#shown = shown;
      return;
    }
  }

  #lastShown(number: number, position: number): number {
    const applied = this.#log[number]?.slice(0, position) ?? [];
    return applied.findLastIndex((entry) => !isPoison(entry)) + 1;
  }

  async #livePositions(): Promise<number[]> {
    const generations = await this.store.generations(REF);
    const live = generations.find(({ state }) => state === 'live');
    return this.#log.map((_, number) => {
      const at = live?.positions.find((each) => each.partition === number);
      return Number(at?.offset ?? 0n);
    });
  }
}

function isPoison({ kind }: Entry): boolean {
  return kind === 'poison' || kind === 'refused';
}

/** The moves there are, and a view to play them on: a store nobody else uses, and how time passes for it. */
export const viewScenario = {
  move,
  begin: async (store: ViewStore, time: ScenarioTime): Promise<ViewScenario> => {
    const scenario = new ViewScenario(store, time);
    await scenario.open();
    return scenario;
  },
};
