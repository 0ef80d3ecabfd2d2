import type { Report } from './scenario.js';

/** What `seeds.child.ts` says of one seed. */
export interface SeedLine extends Omit<Report, 'story'> {
  readonly seed: number;
  /** Of all that happened, in its order: the same for the same seed. */
  readonly digest: string;
}
