import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises';

export interface LoopOptions {
  /** Each makes its next call when its last one is over. */
  readonly callers: number;
  readonly seconds: number;
  /** Until connections are there and code is warm, calls do not count. */
  readonly warmUpSeconds: number;
}

export interface Percentiles {
  readonly p50Ms: number;
  readonly p99Ms: number;
}

export interface LoopResult extends Percentiles {
  readonly perSecond: number;
  /** With those that do not count. */
  readonly calls: number;
  /** When calls began to count, and ceased to: epoch milliseconds. */
  readonly fromMs: number;
  readonly untilMs: number;
}

/** Calls as fast as so many callers can, each waiting for its answer. A call that fails fails the run. */
export async function closedLoop(
  call: (n: number) => Promise<unknown>,
  { callers, seconds, warmUpSeconds }: LoopOptions,
): Promise<LoopResult> {
  let latencies: number[] = [];
  let running = true;
  let n = 0;
  const caller = async (): Promise<void> => {
    while (running) {
      const startedAt = performance.now();
      await call(n++);
      latencies.push(performance.now() - startedAt);
      // What is answered from memory never waits: without this no timer would fire.
      await nextTurn();
    }
  };
  const all = Promise.all(Array.from({ length: callers }, caller));
  await Promise.race([all, delay(warmUpSeconds * 1_000)]);
  latencies = [];
  const startedAt = performance.now();
  const fromMs = Date.now();
  await Promise.race([all, delay(seconds * 1_000)]);
  const tookMs = performance.now() - startedAt;
  const untilMs = Date.now();
  const counted = latencies;
  latencies = [];
  running = false;
  await all;
  const perSecond = (counted.length / tookMs) * 1_000;
  return { perSecond, ...percentilesOf(counted), calls: n, fromMs, untilMs };
}

export function percentilesOf(latencies: readonly number[]): Percentiles {
  const sorted = [...latencies].sort((a, b) => a - b);
  const at = (share: number): number => sorted[Math.floor(sorted.length * share)] ?? Number.NaN;
  return { p50Ms: at(0.5), p99Ms: at(0.99) };
}
