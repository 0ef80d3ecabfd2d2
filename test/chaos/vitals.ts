import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** What a process tells of itself while it runs. */
export interface Vitals {
  /** Live after a collection, in bytes. */
  readonly heap: number;
  /** Outside the heap: buffers, in bytes. */
  readonly buffers: number;
  readonly sockets: number;
  readonly timers: number;
  /** 99 of 100 turns of the event loop were no later than that, in milliseconds. */
  readonly lateMs: number;
}

const MARK = 'vitals ';

/** Writes a line of vitals to stdout, at once and then every so often. */
export function tellVitals(everyMs: number): void {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const delay = monitorEventLoopDelay({ resolution: 5 });
  delay.enable();
  const tell = (): void => {
    const lateMs = delay.percentile(99) / 1e6;
    collect();
    // The collection is ours, and no part of what is measured.
    delay.reset();
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    const resources = process.getActiveResourcesInfo();
    const count = (name: string): number => resources.filter((each) => each === name).length;
    const vitals: Vitals = {
      heap: heapUsed,
      buffers: arrayBuffers,
      sockets: count('TCPSocketWrap'),
      timers: count('Timeout'),
      lateMs,
    };
    process.stdout.write(`${MARK}${JSON.stringify(vitals)}\n`);
  };
  setInterval(tell, everyMs).unref();
}

/** The vitals among the lines of a process, in order. */
export function vitalsIn(lines: readonly string[]): Vitals[] {
  return lines.flatMap((line) =>
    line.startsWith(MARK) ? [JSON.parse(line.slice(MARK.length)) as Vitals] : [],
  );
}

const MIB = 1024 * 1024;

/** What a figure may have grown by, from the first third of a life to the last: a share, and so much more. */
const TOLERANCE: Readonly<Record<keyof Vitals, readonly [share: number, more: number]>> = {
  heap: [0.2, 8 * MIB],
  buffers: [0.5, 8 * MIB],
  sockets: [0, 3],
  timers: [0.5, 10],
  lateMs: [0.5, 20],
};

export interface Trend {
  readonly figure: keyof Vitals;
  /** Medians. */
  readonly first: number;
  readonly last: number;
  readonly isFlat: boolean;
}

/** Compares the first third of a life with its last; the first tenth, in which it warms up, is left out. */
export function trendsOf(life: readonly Vitals[]): Trend[] {
  const steady = life.slice(Math.ceil(life.length / 10));
  const third = Math.floor(steady.length / 3);
  if (third === 0) return [];
  return (Object.keys(TOLERANCE) as (keyof Vitals)[]).map((figure) => {
    const first = median(steady.slice(0, third).map((each) => each[figure]));
    const last = median(steady.slice(-third).map((each) => each[figure]));
    const [share, more] = TOLERANCE[figure];
    return { figure, first, last, isFlat: last <= first * (1 + share) + more };
  });
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}
