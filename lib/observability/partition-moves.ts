import type { TopicPartition } from '../kafka/records.js';

interface Move extends TopicPartition {
  readonly groupId: string;
  readonly verb: 'gained' | 'let go of';
  /** Records left unfinished. */
  readonly abandoned: number;
}

/**
 * Tells of partitions that come and go in one line a group, however many they are: a rebalance brings or
 * takes them all in one turn.
 *
 *     shop: let go of 9 partitions: orders[0-5,7], stock[0,2], 3 record(s) left to their next owners
 */
export class PartitionMoves {
  readonly #moves: Move[] = [];

  constructor(private readonly say: (line: string) => void) {}

  add(move: Move): void {
    if (this.#moves.push(move) === 1)
      queueMicrotask(() => {
        this.#tell();
      });
  }

  #tell(): void {
    const told = new Map<string, [Move, ...Move[]]>();
    for (const move of this.#moves.splice(0)) {
      const line = `${move.groupId}\0${move.verb}`;
      const others = told.get(line);
      if (others === undefined) told.set(line, [move]);
      else others.push(move);
    }
    for (const moves of told.values()) this.say(lineOf(moves));
  }
}

function lineOf(moves: readonly [Move, ...Move[]]): string {
  const [{ groupId, verb }] = moves;
  const count = moves.length === 1 ? '' : `${String(moves.length)} partitions: `;
  const abandoned = moves.reduce((sum, move) => sum + move.abandoned, 0);
  const left = abandoned === 0 ? '' : `, ${String(abandoned)} record(s) left to the next owner`;
  return `${groupId}: ${verb} ${count}${namesOf(moves)}${left}`;
}

/** `orders[0-5,7], stock[2]`. */
function namesOf(partitions: readonly TopicPartition[]): string {
  const byTopic = new Map<string, number[]>();
  for (const { topic, partition } of partitions) {
    const numbers = byTopic.get(topic) ?? [];
    byTopic.set(topic, numbers);
    numbers.push(partition);
  }
  return [...byTopic].map(([topic, numbers]) => `${topic}[${rangesOf(numbers)}]`).join(', ');
}

function rangesOf(numbers: readonly number[]): string {
  const ranges: { readonly from: number; to: number }[] = [];
  for (const number of [...numbers].sort((a, b) => a - b)) {
    const last = ranges.at(-1);
    if (last?.to === number - 1) last.to = number;
    else ranges.push({ from: number, to: number });
  }
  return ranges
    .map(({ from, to }) => (from === to ? String(from) : `${String(from)}-${String(to)}`))
    .join(',');
}
