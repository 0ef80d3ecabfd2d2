import { writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';

import { median } from './figures.js';

/** One figure of all rounds, in the order of the rounds. */
export interface Measured {
  readonly name: string;
  readonly values: readonly number[];
  /** Behind the point, where people read it. */
  readonly digits: number;
}

/** What was measured under one set of conditions. */
export interface Table {
  readonly title: string;
  readonly conditions: Readonly<Record<string, unknown>>;
  readonly rows: readonly Measured[];
}

/** Ratios within each round: what a noisy machine does to one contender it does to the other. */
export function ratios(of: readonly number[], to: readonly number[]): number[] {
  return of.map((value, round) => value / (to[round] ?? Number.NaN));
}

/** A Markdown table: median, minimum and maximum of each figure. */
export function markdownOf({ title, conditions, rows }: Table): string {
  const line = ({ name, values, digits }: Measured): string => {
    const cells = [median(values), Math.min(...values), Math.max(...values)];
    return `| ${name} | ${cells.map((cell) => inGroups(cell, digits)).join(' | ')} |`;
  };
  const stated = Object.entries(conditions).map(([name, value]) => `${name} ${String(value)}`);
  return [
    `**${title}** (${stated.join(', ')})`,
    '',
    '| | median | min | max |',
    '|---|--:|--:|--:|',
    ...rows.map(line),
    '',
  ].join('\n');
}

/** The same for programs, with every round. */
export function jsonOf(
  tables: readonly Table[],
  machine: Readonly<Record<string, unknown>>,
): string {
  const results = tables.map(({ title, conditions, rows }) => ({
    title,
    conditions,
    rows: rows.map(({ name, values }) => ({
      name,
      median: median(values),
      min: Math.min(...values),
      max: Math.max(...values),
      rounds: values,
    })),
  }));
  return `${JSON.stringify({ machine, results }, null, 2)}\n`;
}

/** Writes tables as Markdown to stdout, and as JSON to the file that `--json` names. */
export async function report(tables: readonly Table[]): Promise<void> {
  const processors = cpus();
  const machine = {
    node: process.version,
    processors: processors.length,
    model: processors[0]?.model ?? 'unknown',
    measuredAt: new Date().toISOString(),
  };
  process.stdout.write(
    `\nNode ${machine.node}, ${String(machine.processors)} × ${machine.model}\n\n` +
      tables.map(markdownOf).join('\n'),
  );
  const { json } = parseArgs({ options: { json: { type: 'string' } } }).values;
  if (json !== undefined) await writeFile(json, jsonOf(tables, machine));
}

function inGroups(value: number, digits: number): string {
  return value.toLocaleString('en-GB', {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  });
}
