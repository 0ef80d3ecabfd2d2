import { createRequire } from 'node:module';
import { setTimeout as sleep } from 'node:timers/promises';
import { AssignerProtocol, type Consumer, type ConsumerConfig } from 'kafkajs';
import type { ConsumerClient } from '../../lib/kafka/drivers/kafkajs/consumer-session.js';

const require = createRequire(import.meta.url);
const createConsumer = require('kafkajs/src/consumer/index.js') as (options: object) => Consumer;
const { createLogger } = require('kafkajs/src/loggers/index.js') as {
  createLogger: (options: object) => unknown;
};
const { KafkaJSProtocolError } = require('kafkajs/src/errors.js') as {
  KafkaJSProtocolError: new (of: object) => Error;
};

/** An error as kafkajs makes one of a broker's answer. */
export function protocolError(type: string, retriable = false): Error {
  return new KafkaJSProtocolError({ type, code: 0, retriable, message: type, name: 'Error' });
}

export interface StubFetch {
  readonly partition: number;
  readonly fetchOffset: string;
}

/** Records of a partition, as offsets; `control` ones are not for consumers to see. */
export interface StubRecords {
  readonly partition: number;
  readonly offsets: readonly number[];
  readonly control?: boolean;
}

type FetchStep = (asked: readonly StubFetch[]) => Promise<readonly StubRecords[]>;

/**
 * A cluster under a real kafkajs consumer, without sockets: brokers and group do what a test says, in
 * the order it says, so that races between kafkajs's fetchers can be brought about at will.
 */
export class StubCluster {
  generation = 0;
  memberId = 'member-1';
  /** What the next generations assign to us, partitions of `topic`; the last one stays. */
  assignments: number[][] = [];
  /** Thrown by the next SyncGroup calls, before assignments are given. */
  readonly syncErrors: Error[] = [];
  readonly committed = new Map<number, string>();
  readonly commits: { readonly generation: number; readonly offsets: object }[] = [];
  readonly calls: string[] = [];
  /** What the driver has made of kafkajs, one for each session. */
  readonly consumers: Consumer[] = [];
  whenCommitting: () => Promise<void> = () => Promise.resolve();
  whenHeartbeat: () => Promise<void> = () => Promise.resolve();
  private readonly steps = new Map<string, FetchStep[]>();
  private readonly brokers: Map<string, StubBroker>;
  private readonly committedOffsetsMap = {};

  /** @param leaders the node that leads each partition, by partition number. */
  constructor(
    readonly topic: string,
    private readonly leaders: readonly number[],
  ) {
    this.brokers = new Map(
      [...new Set(leaders)].map((nodeId) => [`${nodeId}`, new StubBroker(`${nodeId}`, this)]),
    );
  }

  /** A kafkajs client whose consumers run on this cluster. */
  get client(): ConsumerClient {
    const logger = createLogger({ level: 0, logCreator: () => () => undefined });
    const consumer = (config?: ConsumerConfig) => {
      // What one consumer's assigner puts before its cluster is not before the next one's.
      const cluster = Object.create(this) as StubCluster;
      const made = createConsumer({ ...config, cluster, logger, isolationLevel: 1 });
      this.consumers.push(made);
      return made;
    };
    return { kafka: { consumer }, abandon: () => undefined };
  }

  /** What the node's next fetch does; without one, it waits a little and answers nothing. */
  nextFetch(nodeId: number, step: FetchStep): void {
    const steps = this.steps.get(`${nodeId}`) ?? [];
    this.steps.set(`${nodeId}`, [...steps, step]);
  }

  takeStep(nodeId: string): FetchStep | undefined {
    return this.steps.get(nodeId)?.shift();
  }

  // What kafkajs asks of a cluster

  connect = () => Promise.resolve();
  disconnect = () => Promise.resolve();
  refreshMetadata = () => Promise.resolve();
  refreshMetadataIfNecessary = () => Promise.resolve();
  addMultipleTargetTopics = () => Promise.resolve();
  removeBroker = () => undefined;
  isConnected = () => true;
  getNodeIds = () => [...this.brokers.keys()];
  defaultOffset = () => -2;
  fetchTopicsOffset = () => Promise.resolve([]);
  connectionPoolBuilder = { build: () => Promise.reject(new Error('it has no sockets')) };
  committedOffsets = () => this.committedOffsetsMap;
  findTopicPartitionMetadata = () =>
    this.leaders.map((leader, partitionId) => ({ partitionId, leader }));

  findBroker({ nodeId }: { nodeId: string }): Promise<StubBroker> {
    const broker = this.brokers.get(nodeId);
    return broker === undefined ? Promise.reject(new Error(nodeId)) : Promise.resolve(broker);
  }

  async findGroupCoordinator(): Promise<StubBroker> {
    this.calls.push('find coordinator');
    const [nodeId = ''] = this.getNodeIds();
    return this.findBroker({ nodeId });
  }
}

class StubBroker {
  constructor(
    readonly nodeId: string,
    private readonly cluster: StubCluster,
  ) {}

  isConnected = () => true;

  joinGroup(): Promise<object> {
    const { cluster } = this;
    cluster.generation++;
    cluster.calls.push(`join ${cluster.generation}`);
    const { generation: generationId, memberId } = cluster;
    const groupProtocol = 'RoundRobinAssigner';
    return Promise.resolve({ generationId, memberId, leaderId: 'x', members: [], groupProtocol });
  }

  syncGroup(): Promise<object> {
    const { assignments, syncErrors, topic } = this.cluster;
    const error = syncErrors.shift();
    if (error !== undefined) return Promise.reject(error);
    const partitions = (assignments.length > 1 ? assignments.shift() : assignments[0]) ?? [];
    const assignment = partitions.length === 0 ? {} : { [topic]: partitions };
    const { MemberAssignment } = AssignerProtocol;
    const memberAssignment = MemberAssignment.encode({
      version: 0,
      assignment,
      userData: Buffer.alloc(0),
    });
    return Promise.resolve({ memberAssignment });
  }

  leaveGroup(): Promise<object> {
    this.cluster.calls.push('leave');
    return Promise.resolve({});
  }

  heartbeat(): Promise<void> {
    return this.cluster.whenHeartbeat();
  }

  offsetFetch({ topics }: { topics: { partitions: { partition: number }[] }[] }): Promise<object> {
    const { committed, topic } = this.cluster;
    const partitions = topics.flatMap((asked) =>
      asked.partitions.map(({ partition }) => ({
        partition,
        offset: committed.get(partition) ?? '0',
      })),
    );
    return Promise.resolve({ responses: [{ topic, partitions }] });
  }

  async offsetCommit(request: { groupGenerationId: number; topics: object }): Promise<void> {
    const { groupGenerationId: generation, topics: offsets } = request;
    this.cluster.commits.push({ generation, offsets });
    await this.cluster.whenCommitting();
  }

  async fetch(request: { topics: { partitions: StubFetch[] }[] }): Promise<object> {
    const { topic } = this.cluster;
    const step = this.cluster.takeStep(this.nodeId);
    if (step === undefined) {
      await sleep(5);
      return { responses: [] };
    }
    const records = await step(request.topics.flatMap(({ partitions }) => partitions));
    return { responses: [{ topicName: topic, partitions: records.map(toPartitionData) }] };
  }
}

function toPartitionData({ partition, offsets, control = false }: StubRecords): object {
  const messages = offsets.map((offset) => ({
    ...{ offset: String(offset), timestamp: '0', headers: {}, isControlRecord: control },
    ...{ key: null, value: Buffer.from(`${partition}@${offset}`), batchContext: {} },
  }));
  const highWatermark = '1000';
  return { partition, highWatermark, abortedTransactions: [], preferredReadReplica: -1, messages };
}
