import type { DriverError } from '../../../kafka-events.errors.js';

const FIRST_MS = 1_000;
/** Nothing is consumed meanwhile: what comes back by itself is looked for often. */
const LONGEST_MS = 5_000;
/** Somebody has to help first: asking often only fills the logs. */
const LONGEST_WITHOUT_HOPE_MS = 30_000;

/** Whether trying again may help by itself. */
export function isHopeful({ kind }: DriverError): boolean {
  return kind === 'retryable' || kind === 'fenced';
}

/** How long to wait before the next session, after so many that ended soon. */
export function restartDelayMs(error: DriverError, restarts: number): number {
  const longestMs = isHopeful(error) ? LONGEST_MS : LONGEST_WITHOUT_HOPE_MS;
  return Math.min(FIRST_MS * 2 ** restarts, longestMs);
}
