import { isPoison } from './fate.js';
import { fateOf, type Load } from './load.js';
import { causesOf } from './progress.js';
import type { Outcome } from './run-schedule.js';
import type { Schedule } from './schedule.js';

/** Of a list of violations, so many are shown. */
const SHOWN = 10;
const SHOWN_PAUSES = 5;

/** Everything that is wrong, in sentences; empty after a good run. */
export function problemsOf({ violations, failures, aged }: Outcome): string[] {
  return [
    ...Object.entries(violations).flatMap(([name, list]: [string, string[]]) => shown(name, list)),
    ...failures,
    ...aged.flatMap(({ name, trends }) =>
      trends
        .filter(({ isFlat }) => !isFlat)
        .map(({ figure, first, last }) => `${name} ages: ${figure} from ${first} to ${last}`),
    ),
  ];
}

/** The figures of a run, as text. */
export function describeOutcome(schedule: Schedule, outcome: Outcome): string {
  const { violations, moves } = outcome;
  const total = outcome.ledger.at(-1)?.at ?? 0;
  return [
    `${schedule.scenario}, seed ${schedule.seed}, ${seconds(schedule.durationMs)}:`,
    `  ${outcome.events} events in ${outcome.records} records, ${outcome.effects} effects, ${outcome.poison} poison`,
    `  lost ${violations.lost.length}, completed effects repeated ${violations.repeated.length}, ` +
      `order violations ${violations.disordered.length}, wrong dead letters ${violations.wronglyDead.length}`,
    `  repeated before completion ${outcome.repeatedBeforeMark}, marks unheard of ${outcome.unmarked}, dead letters written twice ${outcome.deadLettersRepeated}`,
    `  partitions moved ${moves.moved} in ${moves.rebalances} rebalances, at least ${moves.minimum} had to`,
    `  drained ${seconds(outcome.drainMs)} after the last fault, processes ended by records ${outcome.restarts}`,
    ...faultLines(outcome),
    ...pauseLines(outcome),
    ...ageLines(outcome),
    ...recoveryLines(schedule.load, outcome, total),
    ...problemsOf(outcome).map((problem) => `  PROBLEM: ${problem}`),
    ...(outcome.evidence === null ? [] : [`  everything about it is in ${outcome.evidence}`]),
    '',
  ].join('\n');
}

function faultLines({ happened, longestPauses }: Outcome): string[] {
  const kinds = [...new Set([...happened.map(({ kind }) => kind), ...longestPauses.keys()])].sort();
  return kinds.map((kind) => {
    const times = happened.filter((fault) => fault.kind === kind).length;
    const longest = seconds(longestPauses.get(kind) ?? 0);
    return `  ${kind.padEnd(18)} ${String(times).padStart(3)} times, longest time without progress ${longest}`;
  });
}

function pauseLines({ pauses, happened, startedAt }: Outcome): string[] {
  const longest = [...pauses]
    .sort((a, b) => b.to - b.from - (a.to - a.from))
    .slice(0, SHOWN_PAUSES);
  return longest.map((pause) => {
    const [at, lasted] = [seconds(pause.from - startedAt), seconds(pause.to - pause.from)];
    return `  partition ${pause.partition} stood still at ${at} for ${lasted}: ${causesOf(pause, happened).join(', ')}`;
  });
}

function ageLines({ aged }: Outcome): string[] {
  return aged.map(({ name, trends }) => {
    const figures = trends.map(
      ({ figure, first, last }) => `${figure} ${round(first)} -> ${round(last)}`,
    );
    return `  ${name}, first third of its life and last: ${figures.join(', ')}`;
  });
}

const MIB = 1024 * 1024;

function round(value: number): string {
  return value < MIB / 10 ? value.toFixed(1) : `${(value / MIB).toFixed(1)} MiB`;
}

/** After an outage: the first effect, and the moment in which nothing waited any longer than a second. */
function recoveryLines(load: Load, { happened, ledger }: Outcome, endedAt: number): string[] {
  const outage = happened.findLast(({ kind }) => kind === 'downstream-away');
  if (outage === undefined) return [];
  const first = ledger.find(({ what, at }) => what === 'effect' && at > outage.to)?.at ?? endedAt;
  const waiting = new Set<string>();
  const effected = new Set<string>();
  let worst = 0;
  const caughtUp = ledger.find(({ what, at, eventId }) => {
    if (what === 'effect') {
      effected.add(eventId);
      waiting.delete(eventId);
    }
    if (what === 'sent' && !effected.has(eventId) && !isPoison(fateOf(load, eventId))) {
      waiting.add(eventId);
    }
    worst = Math.max(worst, waiting.size);
    return at > first && waiting.size < load.producers * load.perSecond;
  });
  return [
    `  outage over: first effect after ${seconds(first - outage.to)}, ` +
      `${worst} events that waited caught up with after ${seconds((caughtUp?.at ?? endedAt) - outage.to)}`,
  ];
}

function shown(name: string, list: readonly string[]): string[] {
  const more = list.length > SHOWN ? [`${name}: and ${list.length - SHOWN} more`] : [];
  return [...list.slice(0, SHOWN).map((each) => `${name}: ${each}`), ...more];
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
