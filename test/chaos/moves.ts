/** Owners by partition. */
export type Assignment = ReadonlyMap<number, string>;

export interface Moves {
  /** Partitions whose owner changed. */
  readonly moved: number;
  /** The fewest that had to, for members to have equally many, give or take one. */
  readonly minimum: number;
}

/** From one assignment of a group to the next; `members` are those of the next. */
export function movesBetween(
  before: Assignment,
  after: Assignment,
  members: readonly string[],
): Moves {
  const moved = [...after].filter(([partition, owner]) => before.get(partition) !== owner).length;
  const [share, rest] = [Math.floor(after.size / members.length), after.size % members.length];
  const had = members
    .map((member) => [...before.values()].filter((owner) => owner === member).length)
    .sort((a, b) => b - a);
  // The larger shares go to those who had most.
  const kept = had.map((count, i) => Math.min(count, i < rest ? share + 1 : share));
  return { moved, minimum: after.size - kept.reduce((sum, count) => sum + count, 0) };
}
