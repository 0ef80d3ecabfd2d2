import type { Load } from './load.js';
import { drawTracks, type Schedule, type TrackPlan } from './schedule.js';

const SECOND = 1000;
const MINUTE = 60 * SECOND;

/** Who takes part, in every scenario: a cluster started for them serves all. */
export const CONSUMERS = ['consumer-1', 'consumer-2', 'consumer-3', 'consumer-4'] as const;
export const PRODUCERS = ['producer-1', 'producer-2'] as const;

const ORDERS: Omit<Load, 'seed' | 'oneIn'> = {
  producers: PRODUCERS.length,
  perSecond: 150,
  keys: 150,
};
const FLEET = { consumers: CONSUMERS.length, partitions: 12 };

/** Far below what the outage breaker takes for an outage: half of a handler's last records. */
const MOST_FATES: Load['oneIn'] = {
  slow: 200,
  'fails-once': 60,
  'hangs-once': 1_500,
  'comes-twice': 100,
  refused: 1_000,
  'always-fails': 1_000,
  'gives-up': 2_000,
  malformed: 2_000,
  'too-new': 2_000,
};
const EVERY_FATE: Load['oneIn'] = {
  ...MOST_FATES,
  'never-returns': 10_000,
  // Each costs about five deaths, and their sessions.
  'kills-its-process': 40_000,
};

/** Everything at once: what is broken in one track does not wait for the others. */
const EVERY_FAULT: readonly TrackPlan[] = [
  {
    kinds: ['broker-killed', 'broker-restarted', 'leaders-moved', 'coordinator-moved'],
    pauseMs: [3 * SECOND, 9 * SECOND],
  },
  {
    kinds: ['broker-cut-off', 'client-cut-off', 'client-frozen', 'links-slow'],
    pauseMs: [3 * SECOND, 9 * SECOND],
  },
  { kinds: ['consumer-killed', 'consumer-left'], pauseMs: [2 * SECOND, 8 * SECOND] },
  { kinds: ['consumers-rolled'], pauseMs: [25 * SECOND, 60 * SECOND] },
  { kinds: ['redis-killed', 'redis-frozen'], pauseMs: [6 * SECOND, 15 * SECOND] },
];

type Scenario = (seed: number, minutes: number) => Schedule;

export const SCENARIOS = {
  /** All faults and all fates. */
  chaos: (seed, minutes) => ({
    ...{ scenario: 'chaos', seed, ...FLEET, durationMs: minutes * MINUTE },
    load: { ...ORDERS, seed, oneIn: EVERY_FATE },
    tracks: drawTracks(seed, minutes * MINUTE, EVERY_FAULT),
  }),
  /** Every fault by itself, long enough apart that each pause has one cause. */
  'one-by-one': (seed, minutes) => ({
    ...{ scenario: 'one-by-one', seed, ...FLEET, durationMs: minutes * MINUTE },
    load: { ...ORDERS, seed, oneIn: { slow: 200 } },
    tracks: drawTracks(seed, minutes * MINUTE, [
      { kinds: EVERY_FAULT.flatMap(({ kinds }) => kinds), pauseMs: [20 * SECOND, 20 * SECOND] },
    ]),
  }),
  /** Two processes grow old while everything around them comes and goes. */
  soak: (seed, minutes) => ({
    ...{ scenario: 'soak', seed, ...FLEET, spared: 2, durationMs: minutes * MINUTE },
    load: { ...ORDERS, seed, oneIn: MOST_FATES },
    tracks: drawTracks(seed, minutes * MINUTE, [
      { kinds: ['consumer-left', 'consumer-killed'], pauseMs: [4 * SECOND, 10 * SECOND] },
      {
        kinds: EVERY_FAULT.slice(0, 2).flatMap(({ kinds }) => kinds),
        pauseMs: [10 * SECOND, 20 * SECOND],
      },
      { kinds: ['redis-killed', 'redis-frozen'], pauseMs: [40 * SECOND, 80 * SECOND] },
    ]),
  }),
  /** Members join and leave under load, often two at a time; nothing else happens. */
  rebalance: (seed, minutes) => ({
    ...{ scenario: 'rebalance', seed, ...FLEET, durationMs: minutes * MINUTE },
    load: { ...ORDERS, seed, oneIn: { slow: 200 } },
    tracks: drawTracks(seed, minutes * MINUTE, [
      { kinds: ['consumer-left'], pauseMs: [2 * SECOND, 8 * SECOND] },
      { kinds: ['consumer-left'], pauseMs: [4 * SECOND, 12 * SECOND] },
    ]),
  }),
  /** What handlers depend on is away for so many minutes, at full load. */
  outage: (seed, minutes) => ({
    ...{ scenario: 'outage', seed, ...FLEET, durationMs: minutes * MINUTE + 30 * SECOND },
    load: { ...ORDERS, seed, oneIn: { slow: 200 } },
    tracks: [
      [{ kind: 'downstream-away', atMs: 10 * SECOND, lastsMs: minutes * MINUTE, target: 0 }],
    ],
  }),
} as const satisfies Readonly<Record<string, Scenario>>;
