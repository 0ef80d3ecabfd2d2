import type { Clock } from '../contracts/clock.js';
import type { RunningGeneration } from './view-generation.js';
import type { ViewRef, ViewStore } from './view-store.js';

/** The live generation is frozen when the other is no further behind than this. */
const CLOSE_RECORDS = 1_000;
/** How long it stays frozen at the most; it is left alone for as long before it is frozen again. */
const FREEZE_MS = 5_000;
const POLL_MS = 20;

export interface SwapSteps {
  readonly store: ViewStore;
  readonly clock: Clock;
  readonly isStopped: () => boolean;
  /** Has both generations know how far they are. */
  readonly refresh: () => Promise<void>;
}

/**
 * Swaps a generation in once it has all that the live one shows; true when it did.
 *
 * Under load neither stands still, so the live one is frozen for a moment: what it shows then, the other reaches
 * soon. If it does not, or we die, the freeze ends by itself. Only who has frozen it swaps.
 */
export async function swapIn(
  ref: ViewRef,
  building: RunningGeneration,
  live: RunningGeneration | null,
  { store, clock, isStopped, refresh }: SwapSteps,
): Promise<boolean> {
  const swap = () => store.swap(ref, building.id, building.progress.positions);
  if (building.progress.reachedAt === null) return false;
  if (live === null) return swap();
  if (building.progress.behind(live.stored) > CLOSE_RECORDS) return false;
  if (!(await store.freeze(live.id, FREEZE_MS))) return false;
  const until = clock.now() + FREEZE_MS;
  while (!isStopped() && clock.now() < until) {
    await refresh();
    if (await swap()) return true;
    await new Promise<void>((resolve) => {
      clock.setTimeout(resolve, POLL_MS);
    });
  }
  return false;
}
