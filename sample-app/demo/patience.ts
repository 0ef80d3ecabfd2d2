import { setTimeout as sleep } from 'node:timers/promises';

const POLL_MS = 100;

/** Waits until it is so. @throws Error naming what never came. */
export async function until(
  what: string,
  isSo: () => boolean | Promise<boolean>,
  deadlineMs = 30_000,
): Promise<void> {
  const giveUpAt = performance.now() + deadlineMs;
  while (!(await isSo())) {
    if (performance.now() > giveUpAt) throw new Error(`${what}: not after ${deadlineMs} ms`);
    await sleep(POLL_MS);
  }
}
