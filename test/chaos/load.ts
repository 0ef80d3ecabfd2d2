import { seededRandom } from '../support/seeded-random.js';
import type { Fate } from './fate.js';

/** All that the events of a run depend on, so that a seed brings them back. */
export interface Load {
  readonly seed: number;
  readonly producers: number;
  /** Events a second of each producer. */
  readonly perSecond: number;
  /** Keys of each producer. */
  readonly keys: number;
  /** One event in so many has this fate; all others succeed. */
  readonly oneIn: Readonly<Partial<Record<Fate, number>>>;
}

export interface PlannedEvent {
  readonly eventId: string;
  readonly orderId: string;
  readonly fate: Fate;
}

/** The n-th event of a producer. */
export function plannedEvent(load: Load, producer: number, n: number): PlannedEvent {
  const random = seededRandom(load.seed * 1_000_003 + producer * 7_919 + n * 104_729);
  const key = Math.floor(random() * load.keys);
  return {
    eventId: `${producer}-${n}`,
    orderId: `order-${producer}-${key}`,
    fate: fateFor(random(), load.oneIn),
  };
}

/** The fate of an event known by its id. */
export function fateOf(load: Load, eventId: string): Fate {
  const [producer = NaN, n = NaN] = eventId.split('-').map(Number);
  if (!(producer < load.producers && n >= 0)) throw new Error(`nobody planned event ${eventId}`);
  return plannedEvent(load, producer, n).fate;
}

function fateFor(roll: number, oneIn: Load['oneIn']): Fate {
  let rest = roll;
  for (const [fate, many] of Object.entries(oneIn) as [Fate, number][]) {
    rest -= 1 / many;
    if (rest < 0) return fate;
  }
  return 'succeeds';
}
