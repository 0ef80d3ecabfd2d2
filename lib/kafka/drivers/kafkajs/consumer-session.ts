import type {
  Broker,
  Consumer,
  EachBatchPayload,
  IMemberAssignment,
  Kafka,
  RetryOptions,
} from 'kafkajs';
import { DriverError } from '../../../kafka-events.errors.js';
import type { CommitItem, ConsumerConfig } from '../../driver.js';
import type { RecordBatch, TopicPartition } from '../../records.js';
import { FetchGate, NOTHING_FETCHED, type FetchAnswer } from './fetch-gate.js';
import { asRebalance, outOfRangePartition, toDriverError } from './kafkajs-errors.js';
import { emptyBatch, rawMessagesOf, toRecordBatch } from './kafkajs-records.js';
import { Membership } from './membership.js';
import { PartialFetch, type FetchRequest } from './partial-fetch.js';
import { PartialMetadata, type MetadataGapsOwner } from './partial-metadata.js';
import { preJoinAssigners, type JoinAnswer, type MembershipObserver } from './pre-join-assigner.js';
import type { PastAssignment } from './sticky-assigner.js';
import { withinMs } from '../../../contracts/within.js';

/** Whom a session tells what happens. Only `records` may throw, and that ends the session. */
export interface SessionOwner {
  /** Awaited before each rejoin, while commits are still accepted. */
  revoking(): Promise<void>;
  /** What was assigned last, in this session or an earlier one. */
  readonly had: PastAssignment;
  /** @param uninterrupted whether what was assigned before cannot have been anybody else's since. */
  assigned(partitions: readonly TopicPartition[], uninterrupted: boolean, generation: number): void;
  /** Everything was given up. */
  lost(): void;
  epochOf(partition: TopicPartition): number | undefined;
  records(batch: RecordBatch): void;
  outOfRange(partition: TopicPartition): void;
  /** The broker refused its records; it is asked again a little later. */
  fetchFailed(partition: TopicPartition, error: DriverError): void;
  /** All topics that cannot be consumed now, and why; told when others are than before. */
  unavailable(topics: ReadonlyMap<string, DriverError>): void;
  members(count: number): void;
  /** The session, once open, is over for a reason of its own. */
  ended(error: DriverError): void;
}

/** What a session needs of its client, which is its own: consumers that share one share state. */
export interface ConsumerClient {
  readonly kafka: Pick<Kafka, 'consumer'>;
  abandon(): void;
}

const LEAVE_DEADLINE_MS = 5000;
/** How often it is looked whether kafkajs is alive. */
const WATCHES_PER_SESSION = 10;

/**
 * One kafkajs consumer, from its connection to its end. It hands records over at once and leaves
 * concurrency and positions to its owner; it never restarts, because kafkajs's own restart can
 * outrun a shutdown.
 */
export class ConsumerSession implements MembershipObserver {
  private readonly consumer: Consumer;
  private readonly gate: FetchGate;
  private readonly partial: PartialFetch;
  readonly metadata: PartialMetadata;
  private readonly end = new End();
  private opened = false;
  private joining: Membership | null = null;
  private membership: Membership | null = null;
  private barrier: Promise<void> | null = null;
  /** Watches since the last sign of life, and since the last step of a join. */
  private silentWatches = 0;
  private joinWatches = 0;
  private watchdog: NodeJS.Timeout | undefined;

  constructor(
    private readonly config: ConsumerConfig,
    retry: RetryOptions,
    private readonly client: ConsumerClient,
    private readonly owner: SessionOwner,
  ) {
    this.gate = new FetchGate(config.maxWaitTimeMs);
    this.partial = new PartialFetch(config.maxWaitTimeMs, (partition, offset, error) => {
      const { kind, message } = toDriverError(error, 'the fetch', 'consumer');
      const said = `reading from offset ${offset}: ${message}`;
      owner.fetchFailed(partition, new DriverError(kind, said, { cause: error }));
    });
    const gaps: MetadataGapsOwner = {
      unavailable: (topics) => {
        owner.unavailable(this.driverErrors(topics));
      },
      leaderless: (partition, error) => {
        owner.fetchFailed(partition, toDriverError(error, 'finding its leader', 'consumer'));
      },
    };
    this.metadata = new PartialMetadata(gaps, config.metadataMaxAgeMs);
    this.consumer = client.kafka.consumer({
      groupId: config.groupId,
      partitionAssigners: preJoinAssigners(this),
      sessionTimeout: config.sessionTimeoutMs,
      rebalanceTimeout: config.rebalanceTimeoutMs,
      heartbeatInterval: config.heartbeatIntervalMs,
      maxBytesPerPartition: config.maxBytesPerPartition,
      maxWaitTimeInMs: config.maxWaitTimeMs,
      metadataMaxAge: config.metadataMaxAgeMs,
      allowAutoTopicCreation: false,
      retry: { ...retry, restartOnFailure: () => Promise.resolve(false) },
    });
    this.listen();
  }

  get isOver(): boolean {
    return this.end.reason !== null;
  }

  get had(): PastAssignment {
    return this.owner.had;
  }

  /**
   * Resolves with the first assignment.
   * @throws DriverError when there is none, or the session is closed meanwhile.
   */
  async open(): Promise<void> {
    this.watchdog = setInterval(() => {
      this.watch();
    }, this.config.sessionTimeoutMs / WATCHES_PER_SESSION);
    try {
      await Promise.race([this.join(), this.end.reached]);
      this.opened = true;
    } catch (error) {
      this.fail(error);
      throw this.end.reason ?? error;
    }
  }

  /** Leaves the group and disconnects, within `deadlineMs`; tells its owner nothing any more. */
  async close(deadlineMs: number): Promise<void> {
    this.finish(new DriverError('closed', 'the consumer was stopped'));
    await this.disconnect(deadlineMs);
  }

  /** Fetches no more; membership and commits go on. */
  quiesce(): void {
    this.gate.shut();
  }

  /** Makes these, and no others, the partitions that are not fetched. */
  pauseOnly(partitions: readonly TopicPartition[]): void {
    this.whileRunning((consumer) => {
      consumer.resume(consumer.paused());
    });
    for (const partition of partitions) this.pause(partition);
  }

  pause({ topic, partition }: TopicPartition): void {
    this.whileRunning((consumer) => {
      consumer.pause([{ topic, partitions: [partition] }]);
    });
  }

  resume({ topic, partition }: TopicPartition): void {
    this.whileRunning((consumer) => {
      consumer.resume([{ topic, partitions: [partition] }]);
    });
  }

  /** @throws DriverError when the broker did not accept it, or the session is over. */
  async commit(items: readonly CommitItem[]): Promise<void> {
    if (this.membership === null || this.end.reason !== null) {
      throw new DriverError('closed', 'the consumer is not in its group');
    }
    await this.membership.commit(items);
  }

  // What kafkajs keeps to itself (MembershipObserver)

  beforeJoin(): Promise<void> {
    this.silentWatches = 0;
    this.joinWatches = 0;
    // One barrier for all attempts of one rejoin, whichever fetcher makes them.
    this.barrier ??= this.isMember ? this.holdBack() : Promise.resolve();
    return this.barrier;
  }

  joined(answer: JoinAnswer, coordinator: Broker): void {
    this.silentWatches = 0;
    this.joinWatches = 0;
    this.metadata.takeVanished();
    this.joining = new Membership(this.config.groupId, coordinator, answer);
  }

  joinFailed(error: unknown): unknown {
    // Its heartbeats are welcome all the same: kafkajs would send them, and consume nothing, for ever.
    return this.isMember ? asRebalance(error) : error;
  }

  leaving(): void {
    if (this.end.reason === null) this.owner.lost();
  }

  async fetch(
    nodeId: string,
    request: FetchRequest,
    send: (request: FetchRequest) => Promise<FetchAnswer>,
  ): Promise<FetchAnswer> {
    try {
      return await this.gate.fetch(nodeId, () => this.partial.fetch(nodeId, request, send));
    } catch (error) {
      const partition = outOfRangePartition(error);
      if (partition === null) throw error;
      // Not to kafkajs: it would commit a reset, and with it forget where the group had been.
      this.owner.outOfRange(partition);
      return NOTHING_FETCHED;
    }
  }

  members(count: number): void {
    this.owner.members(count);
  }

  get topics(): readonly string[] {
    return this.config.topics;
  }

  leaderAway(partition: TopicPartition, nodeId: number, error: unknown): void {
    const doing = `reaching its leader, broker ${nodeId},`;
    this.owner.fetchFailed(partition, toDriverError(error, doing, 'consumer'));
  }

  // The session's own course

  private get isJoining(): boolean {
    return this.membership === null || this.barrier !== null;
  }

  private get isMember(): boolean {
    return this.membership !== null && this.end.reason === null;
  }

  /** Of the topics that this session is to consume; a leader of the group asks for others', too. */
  private driverErrors(topics: ReadonlyMap<string, unknown>): Map<string, DriverError> {
    return new Map(
      this.config.topics
        .filter((topic) => topics.has(topic))
        .map((topic) => [
          topic,
          toDriverError(topics.get(topic), `looking up the topic "${topic}"`, 'consumer'),
        ]),
    );
  }

  // kafkajs throws when its consumer has stopped, which it does before it says so.
  private whileRunning(call: (consumer: Consumer) => void): void {
    if (!this.isMember) return;
    try {
      call(this.consumer);
    } catch {
      // The event CRASH follows.
    }
  }

  private async join(): Promise<void> {
    const { topics } = this.config;
    await this.consumer.connect();
    await this.consumer.subscribe({ topics: [...topics], fromBeginning: true });
    if (this.end.reason !== null) return;
    await this.consumer.run({
      autoCommit: false,
      eachBatchAutoResolve: false,
      partitionsConsumedConcurrently: 1,
      eachBatch: this.takeBatch,
    });
    // `run` resolves also when joining failed; the event CRASH then says why.
    if (this.membership === null) await this.end.reached;
  }

  private listen(): void {
    const { consumer } = this;
    const { FETCH_START, GROUP_JOIN, HEARTBEAT, CRASH, END_BATCH_PROCESS } = consumer.events;
    consumer.on(FETCH_START, ({ payload }) => {
      this.gate.beginFetch(String(payload.nodeId));
    });
    consumer.on(GROUP_JOIN, ({ payload }) => {
      this.takeAssignment(payload.memberAssignment);
    });
    consumer.on(HEARTBEAT, () => {
      this.silentWatches = 0;
    });
    consumer.on(CRASH, ({ payload }) => {
      this.fail(payload.error);
    });
    // A batch of control records and aborted transactions is skipped without calling `eachBatch`.
    consumer.on(END_BATCH_PROCESS, ({ payload }) => {
      const epoch = payload.batchSize === 0 ? this.owner.epochOf(payload) : undefined;
      if (epoch !== undefined && this.isMember) this.deliver(emptyBatch(payload, epoch));
    });
  }

  private async holdBack(): Promise<void> {
    this.gate.close();
    await withinMs(this.owner.revoking(), this.config.revokeDrainMs);
  }

  private takeAssignment(assignment: IMemberAssignment): void {
    if (this.end.reason !== null) return;
    if (this.joining === null) {
      this.fail(new DriverError('fatal', 'kafkajs joined its group past the driver'));
      return;
    }
    const before = this.membership;
    this.membership = this.joining;
    this.barrier = null;
    this.silentWatches = 0;
    this.gate.openNextRound();
    const uninterrupted = before !== null && this.membership.continues(before);
    const { generationId } = this.membership;
    this.owner.assigned(partitionsOf(assignment), uninterrupted, generationId);
  }

  private readonly takeBatch = (payload: EachBatchPayload): Promise<void> => {
    const { batch } = payload;
    const epoch = this.owner.epochOf(batch);
    if (epoch === undefined || !this.gate.admits(rawMessagesOf(batch))) return Promise.resolve();
    if (this.deliver(toRecordBatch(batch, epoch))) {
      try {
        payload.resolveOffset(batch.lastOffset());
      } catch {
        // kafkajs no longer owns the topic, so it has no position to move.
      }
    }
    return Promise.resolve();
  };

  /** False when the records were not taken: the next session will fetch them again. */
  private deliver(batch: RecordBatch): boolean {
    try {
      this.owner.records(batch);
      return true;
    } catch (error) {
      this.fail(error);
      return false;
    }
  }

  /**
   * kafkajs can hang, and its loops can end, without a word; or go on sending heartbeats without an
   * assignment. After twice its session the broker has given a silent member up, so that nothing is lost
   * by beginning another. Watches are counted, not time: a processor that was busy for long has let none
   * of them pass.
   */
  private watch(): void {
    const { sessionTimeoutMs, rebalanceTimeoutMs, revokeDrainMs } = this.config;
    const watchMs = sessionTimeoutMs / WATCHES_PER_SESSION;
    const silentMs = ++this.silentWatches * watchMs;
    const joiningMs = ++this.joinWatches * watchMs;
    if (silentMs >= 2 * sessionTimeoutMs + (this.isJoining ? rebalanceTimeoutMs : 0)) {
      this.fail(new DriverError('retryable', `no sign of life for ${Math.round(silentMs)} ms`));
    }
    // The broker answers every step of a join in that time, or takes the member for gone.
    const isRejoining = this.isMember && this.isJoining;
    if (isRejoining && joiningMs > sessionTimeoutMs + rebalanceTimeoutMs + revokeDrainMs) {
      const waited = `no assignment for ${Math.round(joiningMs)} ms, although in the group`;
      this.fail(new DriverError('retryable', waited));
    }
  }

  private fail(thrown: unknown): void {
    if (this.end.reason !== null) return;
    const error = toDriverError(thrown, `consuming as "${this.config.groupId}"`, 'consumer');
    this.finish(error);
    void this.disconnect(LEAVE_DEADLINE_MS);
    if (this.opened) this.owner.ended(error);
  }

  private finish(reason: DriverError): void {
    this.end.reach(reason);
    this.gate.shut();
    clearInterval(this.watchdog);
  }

  private async disconnect(deadlineMs: number): Promise<void> {
    await withinMs(this.consumer.disconnect(), deadlineMs);
    this.client.abandon();
  }
}

/** The end of something: a promise that rejects with its reason. */
class End {
  reason: DriverError | null = null;
  readonly reached: Promise<never>;
  private reject: (reason: DriverError) => void = () => undefined;

  constructor() {
    this.reached = new Promise((_, reject) => {
      this.reject = reject;
    });
    this.reached.catch(() => undefined);
  }

  /** Only the first reason counts. */
  reach(reason: DriverError): void {
    this.reason ??= reason;
    this.reject(reason);
  }
}

function partitionsOf(assignment: IMemberAssignment): TopicPartition[] {
  return Object.entries(assignment).flatMap(([topic, partitions]) =>
    partitions.map((partition) => ({ topic, partition })),
  );
}
