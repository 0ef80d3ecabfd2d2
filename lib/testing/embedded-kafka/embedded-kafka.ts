import {
  resolveEmbeddedKafkaOptions,
  type EmbeddedKafkaOptions,
  type EmbeddedKafkaSettings,
  type EmbeddedTopic,
} from './embedded-kafka-options.js';
import { Faults, type Fault, type FaultHandler, type FaultOptions } from './faults/faults.js';
import {
  asksFor,
  failFetchOf,
  failProduceOf,
  type PartitionFaultOptions,
  type TopicPartition,
} from './faults/partition-faults.js';
import { isRequestName, type RequestName } from './requests/request-table.js';
import { BrokerServer } from './server/broker-server.js';
import { RequestDispatcher } from './server/request-dispatcher.js';
import { RequestLog, type LoggedRequest, type LoggedRequestOf } from './server/request-log.js';
import { Cluster, type BrokerNode } from './state/cluster.js';
import type { GroupDescription } from './state/consumer-group.js';
import { StoppableClock } from './state/stoppable-clock.js';
import { checkTopicConfigs } from './state/topic-configs.js';
import { KafkaProtocolError, type KafkaErrorName } from './wire/kafka-error.js';

/**
 * A Kafka for tests, demos and development: brokers in this process that speak Kafka's protocol
 * over TCP on loopback, start in milliseconds, keep everything in memory and can be told to
 * misbehave precisely.
 *
 * Any client can use it that speaks the versions it advertises. It is no store: what it holds is
 * gone when it stops.
 */
export class EmbeddedKafka implements AsyncDisposable {
  readonly #clock: StoppableClock;
  readonly #cluster: Cluster;
  readonly #servers: readonly BrokerServer[];
  readonly #faults = new Faults();
  readonly #log = new RequestLog();
  #stopped = false;

  private constructor(private readonly settings: EmbeddedKafkaSettings) {
    this.#clock = new StoppableClock(settings.cluster.clock);
    this.#cluster = new Cluster({ ...settings.cluster, clock: this.#clock });
    const dispatcher = new RequestDispatcher(this.#faults, this.#log);
    this.#servers = this.#cluster.nodes.map((node) => {
      const port = settings.ports[node.nodeId] ?? 0;
      const { listeners, maxRequestBytes } = settings;
      const cluster = this.#cluster;
      return new BrokerServer({ cluster, node, dispatcher, listeners, port, maxRequestBytes });
    });
  }

  /**
   * Settles when every broker can be connected to.
   *
   * @throws RangeError for options that fit nothing, KafkaProtocolError for topics that Kafka would
   *   refuse, and the system's error for a port that is taken.
   */
  static async start(options: EmbeddedKafkaOptions = {}): Promise<EmbeddedKafka> {
    const kafka = new EmbeddedKafka(resolveEmbeddedKafkaOptions(options));
    try {
      for (const topic of kafka.settings.topics) kafka.createTopic(topic);
      for (const server of kafka.#servers) await server.start();
      return kafka;
    } catch (error) {
      await kafka.stop();
      throw error;
    }
  }

  /** Closes all ports, connections and timers; it may be called again. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#clock.stop();
    this.#cluster.groups.close();
    await Promise.all(this.#servers.map((server) => server.stop()));
  }

  /** Lets the process end although nobody has stopped it, as `unref` of Node's own servers does. */
  unref(): void {
    for (const server of this.#servers) server.unref();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  /** Addresses of the first listener, `host:port`, for a client's `brokers`. */
  get brokers(): string[] {
    return this.brokersOf(this.settings.listeners[0].name);
  }

  /** Addresses of that listener. @throws RangeError for a name that no listener has. */
  brokersOf(listener: string): string[] {
    return this.#cluster.nodes.map(({ endpoints }) => {
      const endpoint = endpoints.get(listener);
      if (endpoint === undefined) throw new RangeError(`there is no listener ${listener}`);
      return `${endpoint.host}:${String(endpoint.port)}`;
    });
  }

  /** @throws KafkaProtocolError where Kafka would refuse it. */
  createTopic({ topic, partitions, configs = {} }: EmbeddedTopic): void {
    const settings = new Map(Object.entries(configs));
    checkTopicConfigs(settings);
    this.#cluster.createTopic(topic, partitions, settings);
  }

  /** The offset after the last record, by partition. @throws KafkaProtocolError for no such topic. */
  endOffsets(topic: string): bigint[] {
    return this.#cluster.topic(topic).partitions.map(({ log }) => log.highWatermark);
  }

  /** A group as it is now; undefined for one that was never heard of. */
  group(groupId: string): GroupDescription | undefined {
    return this.#cluster.groups.describe(groupId);
  }

  /** The last requests that clients sent, the oldest first. */
  get requests(): readonly LoggedRequest[] {
    return this.#log.all;
  }

  requestsOf<Name extends RequestName>(name: Name): readonly LoggedRequestOf<Name>[] {
    return this.#log.of(name);
  }

  clearRequests(): void {
    this.#log.clear();
  }

  /**
   * Decides about requests of that name before the broker does: the next one, or as `options` say.
   *
   * @example kafka.on('OffsetCommit', (request, control) => control.fail('REBALANCE_IN_PROGRESS'));
   * @throws RangeError for a name that is no request's.
   */
  on<Name extends RequestName>(
    name: Name,
    handler: FaultHandler<Name>,
    options?: FaultOptions<Name>,
  ): Fault {
    if (!isRequestName(name)) throw new RangeError(`there is no request ${String(name)}`);
    return this.#faults.arm(name, handler, options);
  }

  /** Fails what is produced to that partition; the request's other partitions are stored. */
  failProduce(
    partition: TopicPartition,
    error: KafkaErrorName,
    options: PartitionFaultOptions = {},
  ): Fault {
    const when = asksFor(partition);
    return this.on('Produce', failProduceOf(partition, error), { ...options, when });
  }

  /** Fails what is fetched from that partition; the request's other partitions are read. */
  failFetch(
    partition: TopicPartition,
    error: KafkaErrorName,
    options: PartitionFaultOptions = {},
  ): Fault {
    const when = asksFor(partition);
    return this.on('Fetch', failFetchOf(partition, error), { ...options, when });
  }

  /** Makes all members join again. @throws KafkaProtocolError for no such group. */
  triggerRebalance(groupId: string): void {
    this.#cluster.groups.triggerRebalance(groupId);
  }

  /**
   * Ends the session of a member, or of all, as if its heartbeats had stayed away.
   *
   * @throws KafkaProtocolError for no such group or member.
   */
  expireMember(groupId: string, memberId?: string): void {
    const group = this.group(groupId);
    if (group === undefined) throw new KafkaProtocolError('GROUP_ID_NOT_FOUND', groupId);
    const members = group.members.map((member) => member.memberId);
    for (const id of memberId === undefined ? members : [memberId]) {
      this.#cluster.groups.expireMember(groupId, id);
    }
  }

  /**
   * Gives a partition another leader; clients of the old one are told so.
   *
   * @throws RangeError for a broker that is down, KafkaProtocolError for no such partition.
   */
  moveLeader(topic: string, partition: number, nodeId: number): void {
    this.#checkUp(nodeId);
    this.#cluster.topic(topic).partition(partition).moveTo(nodeId);
  }

  /**
   * Gives a group another coordinator; members of the old one are told so.
   *
   * @throws RangeError for a broker that is down.
   */
  moveCoordinator(groupId: string, nodeId: number): void {
    this.#checkUp(nodeId);
    this.#cluster.moveCoordinator('group', groupId, nodeId);
  }

  /** Takes a broker down: its connections end, the others lead and coordinate in its place. */
  async stopBroker(nodeId: number): Promise<void> {
    const { server } = this.#broker(nodeId);
    this.#cluster.brokerDown(nodeId);
    await server.stop();
  }

  /**
   * Brings a broker back, on its old ports and with its log; one that is up is left alone.
   *
   * @throws Error after `stop`.
   */
  async startBroker(nodeId: number): Promise<void> {
    const { server, node } = this.#broker(nodeId);
    if (this.#stopped) throw new Error('this Kafka was stopped: start another');
    if (node.online) return;
    await server.start();
    this.#cluster.brokerUp(nodeId);
  }

  /** Loses the records of a partition from that offset on, as after an unclean election. */
  truncate(topic: string, partition: number, offset: bigint | number): void {
    if (offset < 0) throw new RangeError(`there is no offset ${String(offset)}`);
    this.#cluster.topic(topic).partition(partition).log.truncateTo(BigInt(offset));
  }

  #broker(nodeId: number): { readonly server: BrokerServer; readonly node: BrokerNode } {
    const [server, node] = [this.#servers[nodeId], this.#cluster.nodes[nodeId]];
    if (server !== undefined && node !== undefined) return { server, node };
    throw new RangeError(`there is no broker ${String(nodeId)}`);
  }

  #checkUp(nodeId: number): void {
    if (!this.#broker(nodeId).node.online) throw new RangeError(`broker ${String(nodeId)} is down`);
  }
}
