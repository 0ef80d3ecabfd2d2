/** When a record is taken for one that kills its process; claims in a shared store tell. */
export interface CrashLoopOptions {
  /** Runs that ended with their process after which the next has its process for itself. Default 2. */
  readonly suspectAfter?: number;
  /** Runs alone that ended with their process after which the record is dead-lettered. Default 2. */
  readonly deadLetterAfter?: number;
}

/** Crash-loop options with every default filled in. */
export type CrashLoopPolicy = Readonly<Required<CrashLoopOptions>>;

/**
 * One death by chance must not condemn whoever ran at the time: hence more than one, first among
 * others, then alone.
 */
export const DEFAULT_CRASH_LOOP = {
  suspectAfter: 2,
  deadLetterAfter: 2,
} satisfies CrashLoopPolicy;
