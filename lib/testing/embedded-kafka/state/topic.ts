import type { Clock } from '../../../contracts/clock.js';
import { KafkaProtocolError } from '../wire/kafka-error.js';
import { PartitionLog } from './partition-log.js';

/** Of one create or grow request; a real cluster would run out of files long before. */
const MAX_PARTITIONS = 10_000;

/** One partition: its log and who leads it. */
export class Partition {
  leaderEpoch = 0;

  constructor(
    readonly index: number,
    public leaderId: number,
    readonly log: PartitionLog,
  ) {}

  /** Gives it another leader, or none (-1); clients with the old one are told NOT_LEADER. */
  moveTo(nodeId: number): void {
    this.leaderId = nodeId;
    this.leaderEpoch++;
    // Whoever waits for records must ask the new leader.
    this.log.wake();
  }

  /**
   * Refuses a client whose metadata are of another leader; -1 is a client that does not say.
   *
   * @throws KafkaProtocolError FENCED_LEADER_EPOCH or UNKNOWN_LEADER_EPOCH.
   */
  checkLeaderEpoch(epoch: number): void {
    if (epoch === -1 || epoch === this.leaderEpoch) return;
    throw new KafkaProtocolError(
      epoch < this.leaderEpoch ? 'FENCED_LEADER_EPOCH' : 'UNKNOWN_LEADER_EPOCH',
    );
  }
}

/** A topic with its configuration. */
export class Topic {
  readonly configs: Map<string, string>;
  readonly #partitions: Partition[] = [];

  constructor(
    readonly name: string,
    configs: ReadonlyMap<string, string>,
    private readonly clock: Clock,
  ) {
    this.configs = new Map(configs);
  }

  get partitions(): readonly Partition[] {
    return this.#partitions;
  }

  /** @throws KafkaProtocolError INVALID_PARTITIONS when `total` is not more than there are. */
  addPartitions(total: number, nextLeader: () => number): void {
    this.checkTotal(total);
    while (this.#partitions.length < total) {
      const log = new PartitionLog({ clock: this.clock, configs: this.configs });
      this.#partitions.push(new Partition(this.#partitions.length, nextLeader(), log));
    }
  }

  /** @throws KafkaProtocolError INVALID_PARTITIONS when the topic cannot grow to `total`. */
  checkTotal(total: number): void {
    if (total <= this.#partitions.length || total > MAX_PARTITIONS) {
      throw new KafkaProtocolError('INVALID_PARTITIONS', `${this.name} with ${String(total)}`);
    }
  }

  /** @throws KafkaProtocolError UNKNOWN_TOPIC_OR_PARTITION. */
  partition(index: number): Partition {
    const partition = this.#partitions[index];
    if (partition === undefined) {
      throw new KafkaProtocolError('UNKNOWN_TOPIC_OR_PARTITION', `${this.name}[${String(index)}]`);
    }
    return partition;
  }

  /**
   * The partition, where that broker leads it.
   *
   * @throws KafkaProtocolError UNKNOWN_TOPIC_OR_PARTITION or NOT_LEADER_OR_FOLLOWER.
   */
  ledBy(nodeId: number, index: number): Partition {
    const partition = this.partition(index);
    if (partition.leaderId !== nodeId) throw new KafkaProtocolError('NOT_LEADER_OR_FOLLOWER');
    return partition;
  }

  /** Wakes whoever waits for its records: there will be none. */
  close(): void {
    for (const { log } of this.#partitions) log.wake();
  }
}
