import { DAY } from './defaults.js';
import type { Range } from './option-section.js';

/** Waits: a timer beyond 2^31 ms fires at once, and a day is more than anything here should wait. */
export const DURATION_MS: Range = { min: 1, max: DAY };

/** Waits that may be left out. */
export const DRAIN_MS: Range = { min: 0, max: DAY };

/** How long things are remembered; no timer is involved. */
export const RETENTION_MS: Range = { min: 1, max: 365 * DAY };

/** Kafka's sizes are 32-bit. */
export const BYTES: Range = { min: 1, max: 2 ** 31 - 1 };

/** Sizes of this process's memory. */
export const MEMORY_BYTES: Range = { min: 1, max: Number.MAX_SAFE_INTEGER };

export const COUNT: Range = { min: 1, max: 1_000_000 };
