import type { DeadLetterReason } from '../../lib/failure/dead-letter-reason.js';

/**
 * What becomes of an event in its handler, decided before it is published; and the reason of its
 * dead letter, where it ends in one.
 */
export const FATES = {
  succeeds: null,
  slow: null,
  'fails-once': null,
  /** Outlives its timeout at the first attempt, and then ends with its signal. */
  'hangs-once': null,
  /** Published again, much later. */
  'comes-twice': null,
  refused: 'non-retryable',
  'always-fails': 'retries-exhausted',
  'gives-up': 'handler-requested',
  'never-returns': 'timeout',
  malformed: 'invalid',
  'too-new': 'unknown-version',
  'kills-its-process': 'crash-loop',
} as const satisfies Readonly<Record<string, DeadLetterReason | null>>;

export type Fate = keyof typeof FATES;

export function isPoison(fate: Fate): boolean {
  return FATES[fate] !== null;
}
