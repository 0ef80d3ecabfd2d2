export interface Row {
  readonly what: string;
  readonly expected: number;
  /** By a witness that does not ask the library. */
  readonly counted: number;
}

export function isOff({ expected, counted }: Row): boolean {
  return expected !== counted;
}

/** The rows as aligned plain text, each with its verdict. */
export function summaryTable(rows: readonly Row[]): string {
  const cells = [
    ['', 'expected', 'counted', ''],
    ...rows.map((row) => [
      row.what,
      String(row.expected),
      String(row.counted),
      isOff(row) ? 'OFF' : 'ok',
    ]),
  ];
  const widths = [0, 1, 2].map((column) =>
    Math.max(...cells.map((row) => row[column]?.length ?? 0)),
  );
  return cells
    .map(([what = '', expected = '', counted = '', verdict = '']) => {
      const [first = 0, second = 0, third = 0] = widths;
      const numbers = `${expected.padStart(second)}  ${counted.padStart(third)}`;
      return `  ${what.padEnd(first)}  ${numbers}  ${verdict}`.trimEnd();
    })
    .join('\n');
}
