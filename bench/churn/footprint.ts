import { setImmediate as nextTurn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { median } from '../figures.js';

const MIB = 1024 * 1024;

/** What a process holds at one moment, after a full garbage collection. */
export interface Footprint extends OpenResources {
  readonly heapBytes: number;
  /** Of buffers: here, records mostly. */
  readonly bufferBytes: number;
  readonly rssBytes: number;
}

export interface OpenResources {
  readonly sockets: number;
  readonly listeners: number;
  readonly timers: number;
}

/** `node --expose-gc` makes the same function, but has to be given by whoever starts the process. */
function exposedGc(): () => void {
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc') as () => void;
}

const collectGarbage = exposedGc();

export async function measureFootprint(): Promise<Footprint> {
  // Twice: what finalizers release in the first collection is collected by the second.
  collectGarbage();
  await nextTurn();
  collectGarbage();
  const { heapUsed, arrayBuffers, rss } = process.memoryUsage();
  return {
    heapBytes: heapUsed,
    bufferBytes: arrayBuffers,
    rssBytes: rss,
    ...openResources(),
  };
}

/** Those of this process that the broker could have opened. */
export function openResources(): OpenResources {
  const open = process.getActiveResourcesInfo();
  const count = (name: string) => open.filter((each) => each === name).length;
  return {
    sockets: count('TCPSocketWrap'),
    listeners: count('TCPServerWrap'),
    timers: count('Timeout'),
  };
}

/** How much more there is in the last third of the time than in the first, by their medians. */
export function growthOf(values: readonly number[]): number {
  const third = Math.floor(values.length / 3);
  return median(values.slice(-third)) - median(values.slice(0, third));
}

export function inMib(bytes: number): string {
  return `${(bytes / MIB).toFixed(1)} MiB`;
}
