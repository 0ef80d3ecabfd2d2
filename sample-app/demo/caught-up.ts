import { setTimeout as sleep } from 'node:timers/promises';

import type { BareKafka, GroupPosition } from './bare-kafka.js';
import type { DemoNames } from './demo-names.js';
import type { Progress } from './progress.js';

const POLL_MS = 250;

/** Waits until the shop has committed the end of its topics; false when that takes too long. */
export async function caughtUp(
  kafka: BareKafka,
  { groupId, orders, stock, telemetry }: DemoNames,
  progress: Progress,
  deadlineMs: number,
): Promise<boolean> {
  const giveUpAt = performance.now() + deadlineMs;
  for (;;) {
    // In this order: when all orders are done, nothing is added to the stock topic any more.
    const positions = [
      ...(await kafka.positionsOf(groupId, [orders, telemetry])),
      ...(await kafka.positionsOf(groupId, [stock])),
    ];
    const done = sum(positions, ({ committed }) => committed);
    const all = sum(positions, ({ end }) => end);
    progress.update(done, all);
    if (done === all) return true;
    if (performance.now() > giveUpAt) return false;
    await sleep(POLL_MS);
  }
}

function sum(positions: readonly GroupPosition[], what: (of: GroupPosition) => bigint): number {
  return Number(positions.reduce((total, position) => total + what(position), 0n));
}
