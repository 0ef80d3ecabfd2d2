import { seededRandom } from '../../test/support/seeded-random.js';

export type Distribution = 'uniform' | 'Zipf';

/** The nth key has 1/n of what the first has. */
const EXPONENT = 1;
/** How far the hottest keys' shares may be from what they should be, in the mean. */
const TOLERANCE = 0.1;
const HOTTEST = 20;

/** The key of each record of a run, the hottest being 0; the same for the same seed. */
export function keysOf(
  distribution: Distribution,
  {
    records,
    keys,
    seed,
  }: { readonly records: number; readonly keys: number; readonly seed: number },
): number[] {
  const random = seededRandom(seed);
  const upTo = cumulated(sharesOf(distribution, keys));
  return Array.from({ length: records }, () => {
    const at = random();
    const key = upTo.findIndex((share) => at < share);
    return key < 0 ? keys - 1 : key;
  });
}

/** Throws when keys are not distributed as they should be: then nothing was measured. */
export function checkDistribution(
  distribution: Distribution,
  numbers: readonly number[],
  keys: number,
): void {
  const counts = new Array<number>(keys).fill(0);
  for (const key of numbers) counts[key] = (counts[key] ?? 0) + 1;
  const shares = sharesOf(distribution, keys);
  const apart = Array.from({ length: HOTTEST }, (_, key) => {
    const expected = (shares[key] ?? 0) * numbers.length;
    return Math.abs((counts[key] ?? 0) - expected) / expected;
  });
  const mean = apart.reduce((sum, each) => sum + each, 0) / HOTTEST;
  // What chance leaves of a uniform key is more than of a hot one.
  const chance = 1 / Math.sqrt((shares[HOTTEST - 1] ?? 1) * numbers.length);
  if (mean <= TOLERANCE + chance) return;
  throw new Error(
    `the keys are not ${distribution}: the ${String(HOTTEST)} hottest are ` +
      `${(mean * 100).toFixed(0)} % off what they should be`,
  );
}

function sharesOf(distribution: Distribution, keys: number): number[] {
  const weights = Array.from({ length: keys }, (_, key) =>
    distribution === 'uniform' ? 1 : (key + 1) ** -EXPONENT,
  );
  const total = weights.reduce((sum, each) => sum + each, 0);
  return weights.map((weight) => weight / total);
}

function cumulated(shares: readonly number[]): number[] {
  let sum = 0;
  return shares.map((share) => (sum += share));
}
