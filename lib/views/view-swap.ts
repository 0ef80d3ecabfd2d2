import { sleep, type Clock } from '../contracts/clock.js';
import type { ViewGenerations } from './view-generations.js';
import type { ViewStore } from './view-store.js';

/** The live generation is frozen when the other is no further behind than this. */
const CLOSE_RECORDS = 1_000;
/** How long it stays frozen at the most; it is left alone for as long before it is frozen again. */
const FREEZE_MS = 5_000;
const POLL_MS = 20;

export interface SwapSurroundings {
  readonly store: ViewStore;
  readonly clock: Clock;
  readonly isStopped: () => boolean;
}

/**
 * Swaps the generation that is being built in, if there is one and it has all that the live one shows; true when it did.
 *
 * Under load neither stands still, so the live one is frozen for a moment: what it shows then, the other reaches
 * soon. If it does not, or we die, the freeze ends by itself. Only who has frozen it swaps.
 */
export async function swapIn(
  generations: ViewGenerations,
  { store, clock, isStopped }: SwapSurroundings,
): Promise<boolean> {
  const { ref, building, live } = generations;
  if (building === null) return false;
  if (building.progress.reachedAt === null) return false;
  const swap = () => store.swap(ref, building.id, building.progress.positions);
  if (live === null) return swap();
  if (building.progress.behind(live.stored) > CLOSE_RECORDS) return false;
  if (!(await store.freeze(live.id, FREEZE_MS))) return false;
  const until = clock.now() + FREEZE_MS;
  while (!isStopped() && clock.now() < until) {
    await generations.reconcile();
    await generations.look();
    if (await swap()) return true;
    await sleep(clock, POLL_MS);
  }
  return false;
}
