const FIRST_MS = 100;
const LONGEST_MS = 5_000;

/** The wait after that many failed tries in a row to reach a store or a broker, in milliseconds. */
export function backoffMs(tries: number): number {
  return Math.min(FIRST_MS * 2 ** (tries - 1), LONGEST_MS);
}
