import { partitionName, type TopicPartition } from './records.js';

/** A member of a consumer group as its leader sees it. */
export interface GroupMember {
  readonly memberId: string;
  /** What it subscribes to, and is to be given partitions of. */
  readonly topics: readonly string[];
  /** What it had, and in which generation; members that do not say had nothing. */
  readonly had: readonly TopicPartition[];
  readonly generation: number;
}

/** A member while partitions are dealt. */
class Hand {
  readonly held = new Map<string, TopicPartition>();
  readonly #topics: ReadonlySet<string>;
  readonly #perTopic = new Map<string, number>();

  constructor(readonly member: GroupMember) {
    this.#topics = new Set(member.topics);
  }

  get load(): number {
    return this.held.size;
  }
  takes({ topic }: TopicPartition): boolean {
    return this.#topics.has(topic);
  }
  ofTopic(topic: string): number {
    return this.#perTopic.get(topic) ?? 0;
  }
  add(partition: TopicPartition): void {
    this.held.set(partitionName(partition), partition);
    this.#perTopic.set(partition.topic, this.ofTopic(partition.topic) + 1);
  }
  remove(partition: TopicPartition): void {
    this.held.delete(partitionName(partition));
    this.#perTopic.set(partition.topic, this.ofTopic(partition.topic) - 1);
  }
}

/** A partition that may go from one member to another. */
interface Move {
  readonly from: Hand;
  readonly to: Hand;
  readonly partition: TopicPartition;
}

/**
 * Deals the partitions of a group, each to a member that subscribes to its topic: as evenly as the
 * subscriptions allow, with as few moves as that takes from what members had.
 *
 * All members alike, numbers differ by one at most. The result depends on its input alone, not on
 * the order of the members. What nobody subscribes to is left out.
 *
 * @param partitions of all topics that anybody subscribes to.
 * @returns one list for each member, in the order given.
 */
export function assignSticky(
  members: readonly GroupMember[],
  partitions: readonly TopicPartition[],
): TopicPartition[][] {
  const hands = members.map((member) => new Hand(member));
  const inOrder = [...hands].sort((a, b) => compare(a.member.memberId, b.member.memberId));
  const kept = keepWhatTheyHad(inOrder, partitions);
  const unowned = partitions.filter((partition) => !kept.has(partitionName(partition)));
  for (const partition of [...unowned].sort(byTopic))
    leastLoaded(inOrder, partition)?.add(partition);
  balance(inOrder);
  return hands.map(({ held }) => [...held.values()].sort(byTopic));
}

/** Of two that claim a partition, the one of the later generation had it last. */
function keepWhatTheyHad(
  hands: readonly Hand[],
  partitions: readonly TopicPartition[],
): ReadonlySet<string> {
  const existing = new Set(partitions.map(partitionName));
  const kept = new Set<string>();
  const latestFirst = [...hands].sort((a, b) => b.member.generation - a.member.generation);
  for (const hand of latestFirst) {
    for (const partition of hand.member.had) {
      const name = partitionName(partition);
      if (!existing.has(name) || kept.has(name) || !hand.takes(partition)) continue;
      kept.add(name);
      hand.add(partition);
    }
  }
  return kept;
}

function leastLoaded(hands: readonly Hand[], partition: TopicPartition): Hand | undefined {
  const { topic } = partition;
  let best: Hand | undefined;
  for (const hand of hands) {
    if (!hand.takes(partition)) continue;
    const better =
      best === undefined ||
      hand.load < best.load ||
      (hand.load === best.load && hand.ofTopic(topic) < best.ofTopic(topic));
    if (better) best = hand;
  }
  return best;
}

/** Moves partitions until no member has two more than another that could take one, also by way of others. */
function balance(hands: readonly Hand[]): void {
  for (;;) {
    const heaviestFirst = [...hands].sort((a, b) => b.load - a.load);
    const way = heaviestFirst
      .map((hand) => wayToRelieve(hand, hands))
      .find((each) => each !== null);
    if (way === undefined) return;
    for (const { from, to, partition } of way) {
      from.remove(partition);
      to.add(partition);
    }
  }
}

/**
 * The shortest chain of moves that takes one from a member and gives one to another that has at
 * least two fewer; in between, members pass on what they get one for. Null when there is none.
 */
function wayToRelieve(heavy: Hand, hands: readonly Hand[]): readonly Move[] | null {
  const reachedBy = new Map<Hand, Move | null>([[heavy, null]]);
  for (const from of reachedBy.keys()) {
    for (const to of hands) {
      if (reachedBy.has(to)) continue;
      const partition = bestToMove(from, to);
      if (partition === null) continue;
      reachedBy.set(to, { from, to, partition });
      if (to.load <= heavy.load - 2) return chainTo(to, reachedBy);
    }
  }
  return null;
}

function chainTo(end: Hand, reachedBy: ReadonlyMap<Hand, Move | null>): readonly Move[] {
  const chain: Move[] = [];
  for (let move = reachedBy.get(end); move; move = reachedBy.get(move.from)) chain.unshift(move);
  return chain;
}

/** Of the topic that the two share most unevenly. */
function bestToMove(from: Hand, to: Hand): TopicPartition | null {
  let best: TopicPartition | null = null;
  let bestGain = Number.NEGATIVE_INFINITY;
  for (const partition of from.held.values()) {
    const gain = from.ofTopic(partition.topic) - to.ofTopic(partition.topic);
    if (!to.takes(partition) || gain <= bestGain) continue;
    best = partition;
    bestGain = gain;
  }
  return best;
}

function byTopic(a: TopicPartition, b: TopicPartition): number {
  return compare(a.topic, b.topic) || a.partition - b.partition;
}

// Not by locale: every leader must come to the same order.
function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
