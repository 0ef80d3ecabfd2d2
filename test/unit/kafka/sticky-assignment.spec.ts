import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';

import { partitionName, type TopicPartition } from '../../../lib/kafka/records.js';
import { assignSticky, type GroupMember } from '../../../lib/kafka/sticky-assignment.js';

function partitionsOf(topics: Readonly<Record<string, number>>): TopicPartition[] {
  return Object.entries(topics).flatMap(([topic, count]) =>
    Array.from({ length: count }, (_, partition) => ({ topic, partition })),
  );
}

function member(
  memberId: string,
  topics: readonly string[],
  had: readonly TopicPartition[] = [],
  generation = 1,
): GroupMember {
  return { memberId, topics, had, generation };
}

const loads = (assignment: readonly TopicPartition[][]) => assignment.map(({ length }) => length);

/** How many partitions are with another member than before, of those that somebody had. */
function moves(members: readonly GroupMember[], assignment: readonly TopicPartition[][]): number {
  const before = new Map(
    members.flatMap(({ memberId, had }) => had.map((each) => [partitionName(each), memberId])),
  );
  return assignment
    .flatMap((given, i) => given.map((each) => [partitionName(each), members[i]?.memberId]))
    .filter(([name = '', memberId]) => before.has(name) && before.get(name) !== memberId).length;
}

describe('the sticky assignment', () => {
  it('deals the partitions of every topic around', () => {
    const members = ['a', 'b', 'c'].map((id) => member(id, ['orders', 'stock']));
    const assignment = assignSticky(members, partitionsOf({ orders: 6, stock: 3 }));

    expect(loads(assignment)).toEqual([3, 3, 3]);
    for (const given of assignment) {
      expect(given.filter(({ topic }) => topic === 'orders')).toHaveLength(2);
    }
  });

  it('gives a member nothing of a topic that it does not subscribe to', () => {
    const members = [member('a', ['orders', 'stock']), member('b', ['orders'])];
    const [a, b] = assignSticky(members, partitionsOf({ orders: 4, stock: 4 }));

    expect(b).toEqual(partitionsOf({ orders: 4 }));
    expect(a).toEqual(partitionsOf({ stock: 4 }));
  });

  it('moves, for a member that joins, only what it gets', () => {
    const [a, b] = assignSticky(
      [member('a', ['orders']), member('b', ['orders'])],
      partitionsOf({ orders: 12 }),
    );
    const members = [
      member('a', ['orders'], a),
      member('b', ['orders'], b),
      member('c', ['orders']),
    ];

    const assignment = assignSticky(members, partitionsOf({ orders: 12 }));

    expect(loads(assignment)).toEqual([4, 4, 4]);
    expect(moves(members, assignment)).toBe(4);
  });

  it('believes the later generation where two members say that they had a partition', () => {
    const orders = partitionsOf({ orders: 2 });
    const members = [
      member('a', ['orders'], orders, 7),
      member('b', ['orders'], orders.slice(0, 1), 8),
    ];

    const [a, b] = assignSticky(members, orders);

    expect(b).toEqual([{ topic: 'orders', partition: 0 }]);
    expect(a).toEqual([{ topic: 'orders', partition: 1 }]);
  });

  it('leaves out what is gone: partitions, topics, subscriptions', () => {
    const had = partitionsOf({ orders: 4, gone: 2, unwanted: 1 });
    const members = [member('a', ['orders', 'gone'], had)];

    expect(assignSticky(members, partitionsOf({ orders: 2, unwanted: 1 }))).toEqual([
      partitionsOf({ orders: 2 }),
    ]);
  });

  it('balances by way of a third member where two have no topic in common', () => {
    const members = [
      member('a', ['x'], partitionsOf({ x: 3 })),
      member('b', ['x', 'y'], partitionsOf({ y: 2 })),
      member('c', ['y', 'z'], partitionsOf({ z: 1 })),
    ];
    expect(loads(assignSticky(members, partitionsOf({ x: 3, y: 2, z: 1 })))).toEqual([2, 2, 2]);
  });
});

describe('whatever the members, topics and histories, the sticky assignment', () => {
  const topicNames = ['t0', 't1', 't2', 't3'];
  const topics = fc.record(
    Object.fromEntries(topicNames.map((name) => [name, fc.integer({ min: 0, max: 9 })])),
  );
  const group = topics.chain((counts) => {
    const all = partitionsOf(counts);
    const anyMember = fc.record({
      topics: fc.subarray(topicNames),
      had: fc.subarray(all),
      generation: fc.integer({ min: 0, max: 3 }),
    });
    return fc
      .array(anyMember, { minLength: 1, maxLength: 6 })
      .map((drawn) => ({ all, members: drawn.map((each, i) => ({ memberId: `m${i}`, ...each })) }));
  });

  it('gives every partition that somebody wants to one member that wants it', () => {
    fc.assert(
      fc.property(group, ({ all, members }) => {
        const assignment = assignSticky(members, all);
        assignment.forEach((given, i) => {
          for (const { topic } of given) expect(members[i]?.topics).toContain(topic);
        });
        const wanted = all.filter(({ topic }) =>
          members.some((each) => each.topics.includes(topic)),
        );
        expect(assignment.flat().map(partitionName).sort()).toEqual(
          wanted.map(partitionName).sort(),
        );
      }),
    );
  });

  it('is as even as any other can be', () => {
    fc.assert(
      fc.property(group, ({ all, members }) => {
        const unevenness = sumOfSquares(loads(assignSticky(members, all)));
        expect(unevenness).toBe(sumOfSquares(evenestLoads(members, all)));
      }),
      { numRuns: 300 },
    );
  });

  it('does not depend on the order in which members are listed', () => {
    fc.assert(
      fc.property(group, ({ all, members }) => {
        const reversed = assignSticky([...members].reverse(), [...all].reverse()).reverse();
        expect(reversed).toEqual(assignSticky(members, all));
      }),
    );
  });

  it('is the same again when nothing has changed', () => {
    fc.assert(
      fc.property(group, ({ all, members }) => {
        const first = assignSticky(members, all);
        const again = members.map((each, i) => ({ ...each, had: first[i] ?? [], generation: 9 }));
        expect(assignSticky(again, all)).toEqual(first);
      }),
    );
  });

  it('moves no more than must be moved when members come and go who all want the same', () => {
    const size = fc.integer({ min: 1, max: 6 });
    fc.assert(
      fc.property(size, fc.integer({ min: 0, max: 4 }), size, (before, leaving, joining) => {
        const all = partitionsOf({ orders: 17, stock: 5 });
        const wants = ['orders', 'stock'];
        const old = Array.from({ length: before }, (_, i) => member(`old-${i}`, wants));
        const first = assignSticky(old, all);
        const stay = old.map((each, i) => ({ ...each, had: first[i] ?? [] })).slice(leaving);
        const come = Array.from({ length: joining }, (_, i) => member(`new-${i}`, wants));
        const members = [...stay, ...come];

        const assignment = assignSticky(members, all);

        expect(moves(members, assignment)).toBe(fewestMoves(stay, members.length, all.length));
        expect(Math.max(...loads(assignment)) - Math.min(...loads(assignment))).toBeLessThan(2);
      }),
    );
  });
});

function sumOfSquares(numbers: readonly number[]): number {
  return numbers.reduce((sum, each) => sum + each * each, 0);
}

/** What members must give away, the fullest of them keeping the larger shares. */
function fewestMoves(stay: readonly GroupMember[], members: number, partitions: number): number {
  const share = Math.floor(partitions / members);
  let larger = partitions % members;
  const held = stay.map(({ had }) => had.length).sort((a, b) => b - a);
  return held.reduce((moved, has) => {
    const keeps = share + (has > share && larger-- > 0 ? 1 : 0);
    return moved + Math.max(0, has - keeps);
  }, 0);
}

/**
 * The most even loads there are, by maximum flow with growing capacities: another way to the same
 * answer. A unit more for every member at a time; what then can be dealt, is.
 */
function evenestLoads(members: readonly GroupMember[], all: readonly TopicPartition[]): number[] {
  const owner = new Map<TopicPartition, number>();
  const held = members.map(() => 0);
  const tryDeal = (partition: TopicPartition, capacity: number, seen: Set<number>): boolean => {
    for (const [i, { topics }] of members.entries()) {
      if (!topics.includes(partition.topic) || seen.has(i)) continue;
      seen.add(i);
      const full = (held[i] ?? 0) >= capacity;
      const room = full
        ? [...owner].find(([mine, at]) => at === i && tryDeal(mine, capacity, seen))
        : undefined;
      if (full && room === undefined) continue;
      if (full) held[i] = (held[i] ?? 0) - 1;
      owner.set(partition, i);
      held[i] = (held[i] ?? 0) + 1;
      return true;
    }
    return false;
  };
  for (let capacity = 1; capacity <= all.length; capacity++) {
    for (const partition of all) {
      if (!owner.has(partition)) tryDeal(partition, capacity, new Set());
    }
  }
  return held;
}
