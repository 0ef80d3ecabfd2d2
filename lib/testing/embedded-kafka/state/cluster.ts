import type { Clock } from '../../../contracts/clock.js';
import { KafkaProtocolError } from '../wire/kafka-error.js';
import { GroupCoordinator } from './group-coordinator.js';
import { ProducerIds } from './producer-ids.js';
import { Topic } from './topic.js';
import { TransactionCoordinator } from './transaction-coordinator.js';

export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

/** A broker as the cluster's metadata know it. */
export interface BrokerNode {
  readonly nodeId: number;
  /** By listener name. */
  readonly endpoints: Map<string, Endpoint>;
  online: boolean;
}

export interface ClusterOptions {
  readonly brokers: number;
  readonly clock: Clock;
  /** Of topics made without a number of their own. */
  readonly defaultPartitions: number;
  readonly autoCreateTopics: boolean;
  readonly groupInitialRebalanceDelayMs: number;
  readonly groupMinSessionTimeoutMs: number;
  readonly groupMaxSessionTimeoutMs: number;
}

/**
 * What all brokers of an embedded Kafka share: topics and their logs, who leads what, groups,
 * producer ids. There is one copy of every log; brokers differ in what they lead and coordinate.
 */
export class Cluster {
  readonly id = 'embedded-kafka';
  readonly nodes: readonly BrokerNode[];
  readonly topics = new Map<string, Topic>();
  readonly groups: GroupCoordinator;
  readonly producerIds = new ProducerIds();
  readonly transactions: TransactionCoordinator;
  /** Keys moved away from the broker that their hash names. */
  readonly #movedCoordinators = new Map<string, number>();
  #nextLeader = 0;

  constructor(readonly options: ClusterOptions) {
    this.nodes = Array.from({ length: options.brokers }, (_, nodeId) => ({
      nodeId,
      endpoints: new Map<string, Endpoint>(),
      online: true,
    }));
    this.groups = new GroupCoordinator(options);
    this.transactions = new TransactionCoordinator({
      clock: options.clock,
      producerIds: this.producerIds,
      endInPartition: ({ topic, partition }, producer, committed) => {
        const ended = this.topics.get(topic)?.partitions[partition];
        ended?.log.endTransaction(producer, committed, ended.leaderEpoch);
      },
      endInGroups: (producerId, committed) => {
        this.groups.endTransaction(producerId, committed);
      },
    });
  }

  get clock(): Clock {
    return this.options.clock;
  }

  get online(): readonly BrokerNode[] {
    return this.nodes.filter((node) => node.online);
  }

  /** The online broker with the lowest id; -1 when all are down. */
  get controllerId(): number {
    return this.online[0]?.nodeId ?? -1;
  }

  /**
   * @throws KafkaProtocolError INVALID_TOPIC_EXCEPTION, TOPIC_ALREADY_EXISTS or INVALID_PARTITIONS.
   */
  createTopic(
    name: string,
    partitions: number = this.options.defaultPartitions,
    configs: ReadonlyMap<string, string> = new Map(),
  ): Topic {
    this.checkNewTopic(name, partitions);
    const topic = new Topic(name, configs, this.clock);
    topic.addPartitions(partitions, () => this.#nextLeaderId());
    this.topics.set(name, topic);
    return topic;
  }

  /** @throws KafkaProtocolError for a topic that `createTopic` would refuse. */
  checkNewTopic(name: string, partitions: number): void {
    if (!isTopicName(name)) throw new KafkaProtocolError('INVALID_TOPIC_EXCEPTION', name);
    if (this.topics.has(name)) throw new KafkaProtocolError('TOPIC_ALREADY_EXISTS', name);
    new Topic(name, new Map(), this.clock).checkTotal(partitions);
  }

  /** @throws KafkaProtocolError UNKNOWN_TOPIC_OR_PARTITION. */
  topic(name: string): Topic {
    const topic = this.topics.get(name);
    if (topic === undefined) throw new KafkaProtocolError('UNKNOWN_TOPIC_OR_PARTITION', name);
    return topic;
  }

  /** @throws KafkaProtocolError UNKNOWN_TOPIC_OR_PARTITION. */
  deleteTopic(name: string): void {
    this.topic(name).close();
    this.topics.delete(name);
    this.groups.forgetTopic(name);
  }

  /** Gives a topic more partitions. @throws KafkaProtocolError INVALID_PARTITIONS when it is not more. */
  addPartitions(name: string, total: number): void {
    this.topic(name).addPartitions(total, () => this.#nextLeaderId());
  }

  /** Which broker coordinates a group or a transactional id; -1 when none is up. */
  coordinatorOf(kind: 'group' | 'transaction', key: string): number {
    const { nodes, online } = this;
    const hash = hashOf(key);
    const own = this.#movedCoordinators.get(`${kind}:${key}`) ?? hash % nodes.length;
    const standIn = online[hash % Math.max(1, online.length)]?.nodeId ?? -1;
    return nodes[own]?.online === true ? own : standIn;
  }

  moveCoordinator(kind: 'group' | 'transaction', key: string, nodeId: number): void {
    this.#changeCoordinators(() => {
      this.#movedCoordinators.set(`${kind}:${key}`, nodeId);
      if (kind === 'group') this.groups.coordinatorMoved(key);
    });
  }

  /** Takes a broker's leaderships over to those still up; with none, its partitions have no leader. */
  brokerDown(nodeId: number): void {
    this.#changeCoordinators(() => {
      this.#setOnline(nodeId, false);
    });
    for (const topic of this.topics.values()) {
      for (const partition of topic.partitions) {
        if (partition.leaderId === nodeId) partition.moveTo(this.#nextLeaderId());
      }
    }
  }

  /** A broker is back: partitions without a leader get it. */
  brokerUp(nodeId: number): void {
    this.#changeCoordinators(() => {
      this.#setOnline(nodeId, true);
    });
    for (const topic of this.topics.values()) {
      for (const partition of topic.partitions) {
        if (partition.leaderId === -1) partition.moveTo(nodeId);
      }
    }
  }

  /** Members that wait at a coordinator which is theirs no more are told to look for the new one. */
  #changeCoordinators(change: () => void): void {
    const before = this.groups.list().map(({ groupId }) => ({
      groupId,
      coordinator: this.coordinatorOf('group', groupId),
    }));
    change();
    for (const { groupId, coordinator } of before) {
      const moved = this.coordinatorOf('group', groupId) !== coordinator;
      if (moved) this.groups.coordinatorMoved(groupId);
    }
  }

  #setOnline(nodeId: number, online: boolean): void {
    const node = this.nodes[nodeId];
    if (node === undefined) throw new RangeError(`there is no broker ${String(nodeId)}`);
    node.online = online;
  }

  #nextLeaderId(): number {
    const { online } = this;
    return online[this.#nextLeader++ % Math.max(1, online.length)]?.nodeId ?? -1;
  }
}

function isTopicName(name: string): boolean {
  return /^[a-zA-Z0-9._-]{1,249}$/.test(name) && name !== '.' && name !== '..';
}

function hashOf(key: string): number {
  let hash = 0;
  for (const byte of Buffer.from(key)) hash = (Math.imul(hash, 31) + byte) >>> 0;
  return hash;
}
