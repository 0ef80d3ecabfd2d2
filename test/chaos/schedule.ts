import { seededRandom } from '../support/seeded-random.js';
import type { Load } from './load.js';

type Range = readonly [min: number, max: number];

/** What may happen, and how long it lasts: in milliseconds, from the deed to its undoing. */
export const FAULTS = {
  'broker-killed': [1_000, 6_000],
  'broker-restarted': [0, 2_000],
  'leaders-moved': [0, 0],
  'coordinator-moved': [0, 0],
  /** A broker that no client reaches, while the other brokers do. */
  'broker-cut-off': [1_000, 8_000],
  /** A client whose connections are reset: shorter and longer than a session. */
  'client-cut-off': [500, 9_000],
  /** A client whose connections stay, and carry nothing. */
  'client-frozen': [500, 9_000],
  'links-slow': [2_000, 8_000],
  'consumer-killed': [0, 4_000],
  'consumer-left': [2_000, 9_000],
  'consumers-rolled': [0, 0],
  'redis-killed': [0, 3_000],
  'redis-frozen': [300, 3_500],
  /** What handlers depend on refuses them. */
  'downstream-away': [5_000, 15_000],
} as const satisfies Readonly<Record<string, Range>>;

export type FaultKind = keyof typeof FAULTS;

export interface PlannedFault {
  readonly kind: FaultKind;
  /** Since the start of the run. A fault waits for the one before it in its track. */
  readonly atMs: number;
  readonly lastsMs: number;
  /** Whom it strikes: a number below 1,000, taken modulo however many there are. */
  readonly target: number;
}

/** A whole run, as data: what is in here is all that its randomness depends on. */
export interface Schedule {
  readonly scenario: string;
  readonly seed: number;
  readonly durationMs: number;
  readonly consumers: number;
  /** Of the consumers, so many are never ended: to see how they age. @default 0 */
  readonly spared?: number;
  readonly partitions: number;
  readonly load: Load;
  /** Faults of one track come one after another, those of different tracks whenever they come. */
  readonly tracks: readonly (readonly PlannedFault[])[];
}

export interface TrackPlan {
  readonly kinds: readonly FaultKind[];
  /** Between the end of one fault and the next. */
  readonly pauseMs: Range;
}

/** Time for the processes to find their pace, and at the end for the last faults to be seen through. */
const [LEAD_MS, TAIL_MS] = [2_000, 6_000];

/** Draws the faults of a run. All kinds of a track come before one comes again. */
export function drawTracks(
  seed: number,
  durationMs: number,
  plans: readonly TrackPlan[],
): PlannedFault[][] {
  return plans.map((plan, i) => drawTrack(seededRandom(seed * 31 + i), durationMs, plan));
}

function drawTrack(
  random: () => number,
  durationMs: number,
  { kinds, pauseMs }: TrackPlan,
): PlannedFault[] {
  const faults: PlannedFault[] = [];
  let deck: FaultKind[] = [];
  let atMs = LEAD_MS + within([0, pauseMs[1]], random());
  while (atMs < durationMs - TAIL_MS) {
    if (deck.length === 0) deck = [...kinds];
    const [kind] = deck.splice(Math.floor(random() * deck.length), 1);
    if (kind === undefined) break;
    const lastsMs = within(FAULTS[kind], random());
    faults.push({ kind, atMs, lastsMs, target: Math.floor(random() * 1_000) });
    atMs += lastsMs + within(pauseMs, random());
  }
  return faults;
}

function within([min, max]: Range, share: number): number {
  return Math.round(min + (max - min) * share);
}
