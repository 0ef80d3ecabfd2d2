import { describe, expect, it } from '@jest/globals';
import { movesBetween } from '../../chaos/moves.js';

/** `aabb`: partitions 0 and 1 are a's, 2 and 3 are b's. */
function assignment(owners: string): Map<number, string> {
  return new Map(Array.from(owners).map((owner, partition) => [partition, owner]));
}

describe('the moves between two assignments', () => {
  it.each([
    ['nothing happened', 'aabb', 'aabb', 0, 0],
    ['one joins', 'aaabbb', 'aacbbc', 2, 2],
    ['one leaves', 'aabbcc', 'aabbab', 2, 2],
    ['one leaves, and another takes its place', 'aabb', 'aacc', 2, 2],
    ['two swap for nothing', 'aabb', 'bbaa', 4, 0],
    ['shares are not even', 'aaabb', 'aacbb', 1, 1],
    ['the larger share goes to who had less', 'aaab', 'abbb', 2, 1],
  ])('%s: %s to %s', (_, before, after, moved, minimum) => {
    const members = [...new Set(after)];
    expect(movesBetween(assignment(before), assignment(after), members)).toEqual({
      moved,
      minimum,
    });
  });
});
