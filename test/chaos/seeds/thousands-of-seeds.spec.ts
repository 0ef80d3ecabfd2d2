import { availableParallelism } from 'node:os';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { TestProcess } from '../../support/child-process.js';
import { HANDLING_KINDS, type HandlingKind } from './handling.js';
import type { SeedLine } from './seed-line.js';

/**
 * The whole stack under thousands of plans: engine, kafkajs and the embedded Kafka, several members with
 * one store, kills, rebalances and faults at exact moments. Time, network and chance are simulated
 * (`test/simulation`), so a seed goes the same way each time:
 *
 *     SEED=17 npm run test:integration -- thousands-of-seeds       tells the story of one
 *     SEEDS=5000 npm run test:integration -- thousands-of-seeds    plays more of them
 *
 * The dice choose how handlers take records; HANDLING=batches, say, beside either has all do it so.
 */
const SEEDS = Number(process.env.SEEDS ?? 2_000);
const ONE = process.env.SEED;
const MS_EACH = 1_000;
const CHILD = new URL('seeds.child.ts', import.meta.url);

describe('whatever happens to the members of a group', () => {
  let lines: readonly SeedLine[];

  beforeAll(
    async () => {
      lines = ONE === undefined ? await playAll() : [await play(ONE)];
    },
    60_000 + SEEDS * MS_EACH,
  );

  it('loses nothing, repeats nothing completed, keeps the order of each key, dead-letters the poison', () => {
    process.stdout.write(`${figuresOf(lines)}\n`);
    const failed = lines.filter(({ violations }) => violations.length > 0);
    const told = failed.map(({ seed, violations }) => `SEED=${seed}: ${violations.join('; ')}`);
    expect(told).toEqual([]);
    expect(lines).toHaveLength(ONE === undefined ? SEEDS : 1);
  });

  it('goes the same way each time, for the same seed', async () => {
    const again = lines.at(-1);
    expect((await play(String(again?.seed))).digest).toBe(again?.digest);
  });
});

/** Deals the seeds to as many processes as there are processors. */
async function playAll(): Promise<readonly SeedLine[]> {
  const processes = availableParallelism();
  const all = await Promise.all(
    Array.from({ length: processes }, (_, i) => linesOf([i + 1, SEEDS, processes])),
  );
  return all.flat().sort((one, other) => one.seed - other.seed);
}

async function play(seed: string): Promise<SeedLine> {
  const [line] = await linesOf([seed]);
  if (line === undefined) throw new Error(`SEED=${seed} said nothing`);
  return line;
}

async function linesOf(args: readonly (number | string)[]): Promise<SeedLine[]> {
  const child = TestProcess.start(CHILD, { args: args.map(String) });
  const code = await child.waitForExit();
  if (ONE !== undefined) process.stdout.write(`${child.lines.join('\n')}\n`);
  if (code !== 0) throw new Error(`seeds ${args.join()}: ${child.errors.join('\n')}`);
  return child.lines
    .filter((line) => line.startsWith('{"seed":'))
    .map((line) => JSON.parse(line) as SeedLine);
}

function figuresOf(lines: readonly SeedLine[]): string {
  const sum = (figure: (line: SeedLine) => number): number =>
    lines.reduce((total, line) => total + figure(line), 0);
  const longest = Math.max(...lines.map(({ restedAfterMs }) => restedAfterMs));
  const seeds = (kind: HandlingKind): [HandlingKind, number] => [
    kind,
    lines.filter(({ handling }) => handling === kind).length,
  ];
  return JSON.stringify({
    seeds: Object.fromEntries(HANDLING_KINDS.map(seeds)),
    effects: sum(({ effects }) => effects),
    deadLetters: sum(({ deadLetters }) => deadLetters),
    parked: sum(({ parked }) => parked),
    deaths: sum(({ deaths }) => deaths),
    faults: sum(({ faults }) => faults),
    repeatedBeforeComplete: sum(({ repeatedBeforeComplete }) => repeatedBeforeComplete),
    longestToRestMs: Math.round(longest),
  });
}
