import { describe, expect, it } from '@jest/globals';

import { adviseOn, type PartitionAdvice } from '../../../lib/scaling/partition-advice.js';
import type { HandlerFigures, TopicFigures } from '../../../lib/scaling/topic-figures.js';

const SECONDS = 10;
const TARGET_MS = 10 * 60_000;

interface Rates {
  /** Records in the log and not committed, at the end. */
  readonly lag: number;
  /** Per second. */
  readonly arrived: number;
  readonly consumed: number;
}

const HANDLER: HandlerFigures = {
  handlerId: 'Orders.reserve',
  concurrency: 16,
  adaptive: false,
  full: 0,
  perSecond: null,
};
const FULL = { ...HANDLER, full: 1 };

/** Partitions of such rates, seen for ten seconds. */
function figures(partitions: readonly Rates[], over: Partial<TopicFigures> = {}): TopicFigures {
  return {
    groupId: 'shop',
    topic: 'orders',
    observedMs: SECONDS * 1_000,
    members: 2,
    ordering: 'key',
    handlers: [HANDLER],
    processorBusy: 0.2,
    ...over,
    partitions: partitions.map(({ lag, arrived, consumed }, partition) => {
      const committed = 1_000_000n;
      const end = committed + BigInt(lag);
      return {
        first: {
          partition,
          start: 0n,
          end: end - BigInt(arrived * SECONDS),
          committed: committed - BigInt(consumed * SECONDS),
        },
        last: { partition, start: 0n, end, committed },
      };
    }),
  };
}

const times = (count: number, rates: Rates): Rates[] => Array.from({ length: count }, () => rates);

/** Too much for six partitions, evenly. */
const BEHIND = times(6, { lag: 20_000, arrived: 100, consumed: 80 });
const SKEWED = [
  { lag: 90_000, arrived: 500, consumed: 80 },
  ...times(5, { lag: 40, arrived: 20, consumed: 20 }),
];
const SLOW_ONE = [
  { lag: 90_000, arrived: 100, consumed: 10 },
  ...times(5, { lag: 40, arrived: 100, consumed: 100 }),
];

describe('the advice on a partition count', () => {
  it('states the figures', () => {
    const advice = adviseOn(figures(BEHIND), TARGET_MS);
    expect(advice).toMatchObject({
      groupId: 'shop',
      topic: 'orders',
      partitions: 6,
      members: 2,
      lag: 120_000,
      arrivedPerSecond: 600,
      consumedPerSecond: 480,
      drainMs: null,
    });
    const draining = times(6, { lag: 20_000, arrived: 60, consumed: 80 });
    expect(adviseOn(figures(draining), TARGET_MS).drainMs).toBe(1_000_000);
  });

  it('counts from the oldest record where nothing was committed, or retention has passed it', () => {
    const partitions = [null, 5n].map((committed, partition) => {
      const look = { partition, start: 70n, end: 100n, committed };
      return { first: look, last: look };
    });
    expect(adviseOn({ ...figures([]), partitions }, TARGET_MS).lag).toBe(60);
  });

  interface Case {
    readonly name: string;
    readonly figures: TopicFigures;
    readonly bottleneck: PartitionAdvice['bottleneck'];
    readonly advised?: number;
    readonly because: RegExp;
  }
  const cases: readonly Case[] = [
    {
      name: 'a group that keeps up',
      figures: figures(times(6, { lag: 50, arrived: 100, consumed: 100 })),
      bottleneck: 'none',
      because: /keeps up/,
    },
    {
      name: 'a group that keeps up, of more members than partitions',
      figures: figures(times(6, { lag: 50, arrived: 100, consumed: 100 }), { members: 9 }),
      bottleneck: 'none',
      because: /3 of the members have no partition/,
    },
    {
      name: 'an empty topic',
      figures: figures(times(6, { lag: 0, arrived: 0, consumed: 0 })),
      bottleneck: 'none',
      because: /keeps up/,
    },
    {
      name: 'a lag that is gone in time',
      figures: figures(times(6, { lag: 20_000, arrived: 10, consumed: 100 })),
      bottleneck: 'none',
      because: /gone in 223 s/,
    },
    {
      name: 'a group without members',
      figures: figures(times(6, { lag: 9_000, arrived: 10, consumed: 0 }), { members: 0 }),
      bottleneck: 'no-members',
      because: /no members/,
    },
    {
      name: 'a group that stands still',
      figures: figures(times(6, { lag: 9_000, arrived: 10, consumed: 0 })),
      bottleneck: 'stalled',
      because: /stands still/,
    },
    {
      name: 'a hot key, in one partition of six',
      figures: figures(SKEWED, { handlers: [FULL], members: 9, processorBusy: 1 }),
      bottleneck: 'hot-partition',
      because: /Partition 0 has 100 % of the lag and gets most/,
    },
    {
      name: 'a hot key, in one partition of two',
      figures: figures([
        { lag: 90_000, arrived: 500, consumed: 80 },
        { lag: 40, arrived: 20, consumed: 20 },
      ]),
      bottleneck: 'hot-partition',
      because: /Partition 0/,
    },
    {
      name: 'what a hot key has left behind',
      figures: figures(SKEWED.map((rates) => ({ ...rates, lag: rates.lag * 10, arrived: 0 }))),
      bottleneck: 'hot-partition',
      because: /Partition 0/,
    },
    {
      name: 'a partition that is slow without getting more',
      figures: figures(SLOW_ONE, { members: 9 }),
      bottleneck: 'slow-partition',
      because: /no more of the arriving records than others/,
    },
    {
      name: 'handlers at their concurrency',
      figures: figures(BEHIND, { handlers: [HANDLER, { ...FULL, handlerId: 'Mail.send' }] }),
      bottleneck: 'handlers',
      because: /Mail\.send runs 16 at once.* concurrency of about 1\.7 times/s,
    },
    {
      name: 'handlers whose concurrency is adaptive',
      figures: figures(BEHIND, { handlers: [{ ...FULL, adaptive: true }] }),
      bottleneck: 'handlers',
      because: /as many as what it calls bears, 16/,
    },
    {
      name: 'handlers at their rate',
      figures: figures(BEHIND, { handlers: [{ ...HANDLER, perSecond: 250 }] }),
      bottleneck: 'handlers',
      because: /at its rate of 250 a second/,
    },
    {
      name: 'a busy processor, with partitions for more instances',
      figures: figures(BEHIND, { processorBusy: 0.97 }),
      bottleneck: 'instances',
      because: /busy 97 %.* Run 4 instances/s,
    },
    {
      name: 'a busy processor, each partition on one of its own',
      figures: figures(BEHIND, { processorBusy: 0.97, members: 6 }),
      bottleneck: 'partitions',
      advised: 12,
      because: /a member of its own already/,
    },
    {
      name: 'full handlers, and members without a partition',
      figures: figures(BEHIND, { handlers: [FULL], members: 8 }),
      bottleneck: 'partitions',
      advised: 12,
      because: /2 of 8 members have no partition/,
    },
    {
      name: "ordering 'partition', one record at a time in each",
      figures: figures(BEHIND, { ordering: 'partition' }),
      bottleneck: 'partitions',
      advised: 12,
      because: /one record after another/,
    },
    {
      name: 'records that wait for others of their key',
      figures: figures(BEHIND, { members: 9 }),
      bottleneck: 'keys',
      because: /hot keys/,
    },
  ];
  it.each(cases)('$name', ({ figures: seen, bottleneck, advised, because }) => {
    const advice = adviseOn(seen, TARGET_MS);
    expect(advice.bottleneck).toBe(bottleneck);
    expect(advice.reasons.join(' ')).toMatch(because);
    expect(advice.advisedPartitions).toBe(advised ?? seen.partitions.length);
    expect(advice.effect === null).toBe(advised === undefined);
  });

  it('advises a multiple, four times at most, and says what that does to the order of keys', () => {
    const far = times(6, { lag: 900_000, arrived: 1_000, consumed: 80 });
    const advice = adviseOn(figures(far, { ordering: 'partition' }), TARGET_MS);
    expect(advice).toMatchObject({ advisedPartitions: 24, effect: { from: 6, to: 24 } });
    expect(advice.effect?.movedKeys).toBeCloseTo(0.75);
    expect(advice.reasons.at(-1)).toContain('look again');
    const consequences = advice.effect?.consequences.join(' ') ?? '';
    expect(consequences).toContain('75 % of the keys move');
    expect(consequences).toContain('stop the producers, wait until the lag is 0');
  });
});
