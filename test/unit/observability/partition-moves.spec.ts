import { describe, expect, it } from '@jest/globals';
import { PartitionMoves } from '../../../lib/observability/partition-moves.js';

async function linesOf(tell: (moves: PartitionMoves) => void): Promise<readonly string[]> {
  const lines: string[] = [];
  tell(new PartitionMoves((line) => lines.push(line)));
  expect(lines).toEqual([]);
  await Promise.resolve();
  return lines;
}

describe('partitions that come and go', () => {
  it('are told in one line a group and way, whatever their order', async () => {
    const lines = await linesOf((moves) => {
      const gained = { verb: 'gained', abandoned: 0, groupId: 'shop' } as const;
      for (const partition of [7, 2, 0, 1, 10])
        moves.add({ ...gained, topic: 'orders', partition });
      moves.add({ ...gained, topic: 'stock', partition: 3 });
      moves.add({ ...gained, groupId: 'other', topic: 'orders', partition: 0 });
      moves.add({ groupId: 'shop', verb: 'let go of', topic: 'a', partition: 1, abandoned: 0 });
    });
    expect(lines).toEqual([
      'shop: gained 6 partitions: orders[0-2,7,10], stock[3]',
      'other: gained orders[0]',
      'shop: let go of a[1]',
    ]);
  });

  it('say how many records they leave behind', async () => {
    const lines = await linesOf((moves) => {
      const lost = { groupId: 'shop', verb: 'let go of', topic: 'orders' } as const;
      moves.add({ ...lost, partition: 0, abandoned: 2 });
      moves.add({ ...lost, partition: 1, abandoned: 3 });
    });
    expect(lines).toEqual([
      'shop: let go of 2 partitions: orders[0-1], 5 record(s) left to the next owner',
    ]);
  });

  it('are told again in a later turn', async () => {
    const lines: string[] = [];
    const moves = new PartitionMoves((line) => lines.push(line));
    const gained = { groupId: 'shop', verb: 'gained', topic: 'orders', abandoned: 0 } as const;
    moves.add({ ...gained, partition: 0 });
    await Promise.resolve();
    moves.add({ ...gained, partition: 1 });
    await Promise.resolve();
    expect(lines).toEqual(['shop: gained orders[0]', 'shop: gained orders[1]']);
  });
});
