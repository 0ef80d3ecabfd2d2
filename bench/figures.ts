export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

export const HEADING = `${''.padEnd(34)}   median      min      max`;

/** One line under the heading. */
export function row(name: string, values: readonly number[], digits: number): string {
  const text = [median(values), Math.min(...values), Math.max(...values)].map((value) =>
    value.toFixed(digits).padStart(9),
  );
  return `${name.padEnd(34)}${text.join('')}`;
}
