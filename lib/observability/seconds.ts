/** A duration as people are told it. */
export function seconds(ms: number): string {
  return `${String(Math.round(ms / 1000))} s`;
}
