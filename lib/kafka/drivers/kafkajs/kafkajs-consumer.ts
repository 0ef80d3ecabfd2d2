import { setTimeout as sleep } from 'node:timers/promises';
import { DriverError, toError } from '../../../kafka-events.errors.js';
import type { ConnectionSettings } from '../../connection.js';
import type {
  CommitItem,
  ConsumerConfig,
  ConsumerDriver,
  ConsumerHooks,
  DriverLog,
} from '../../driver.js';
import { partitionName, type RecordBatch, type TopicPartition } from '../../records.js';
import { ConsumerSession, type ConsumerClient, type SessionOwner } from './consumer-session.js';
import { createKafkaJsClient, retryOptions } from './kafkajs-client.js';
import { isCoordinationPending } from './kafkajs-errors.js';
import { PartitionOwnership, type OwnershipChange } from './partition-ownership.js';
import { isHopeful, restartDelayMs } from './restart-delay.js';
import { NOTHING_HAD, type PastAssignment } from './sticky-assigner.js';

const FIRST_JOIN_DELAYS_MS = [100, 200, 400, 800, 1600];
/** A session that lasted this long was a good one: the next delay is the first again. */
const GOOD_SESSION_MS = 10_000;

/**
 * A group member on kafkajs that does not give up: a session that ends is followed by another, with
 * growing delays, until it is stopped.
 *
 * States: joining → running ⇄ rebalancing; from any of them, when the session ends, restarting (or
 * failed, when trying again is unlikely to help, though it does try) → joining; stopped is final.
 */
export class KafkaJsConsumer implements ConsumerDriver, SessionOwner {
  private readonly ownership = new PartitionOwnership();
  /** Outlives sessions: a member that comes back is to get again what nobody took meanwhile. */
  had: PastAssignment = NOTHING_HAD;
  private readonly paused = new Map<string, TopicPartition>();
  /** Paused for good: what they should read next is not in the log any more. */
  private readonly held = new Map<string, TopicPartition>();
  /** The last commits that the broker acknowledged, of what is owned. */
  private readonly committed = new Map<string, bigint>();
  /** Of partitions that were kept, and not read since: what they had committed before. */
  private readonly floors = new Map<string, bigint>();
  /** Outlives sessions: a topic that is still away is not news. */
  private unavailableTopics: ReadonlyMap<string, DriverError> = new Map();
  private hooks: ConsumerHooks | null = null;
  private session: ConsumerSession | null = null;
  private restart: NodeJS.Timeout | undefined;
  private restarts = 0;
  private openedAt = 0;
  private quiesced = false;
  private stopped = false;

  constructor(
    private readonly config: ConsumerConfig,
    private readonly connection: ConnectionSettings,
    private readonly log: DriverLog,
    private readonly createClient: () => ConsumerClient = () =>
      createKafkaJsClient(connection, log),
  ) {}

  async start(hooks: ConsumerHooks): Promise<void> {
    if (this.hooks !== null) throw new DriverError('fatal', 'a consumer is started once');
    this.hooks = hooks;
    for (const delayMs of FIRST_JOIN_DELAYS_MS) {
      try {
        await this.openSession();
        return;
      } catch (error) {
        if (!isCoordinationPending(error)) throw error;
        await sleep(delayMs);
      }
    }
    await this.openSession();
  }

  pause(partition: TopicPartition): void {
    if (this.ownership.epochOf(partition) === undefined) return;
    this.paused.set(partitionName(partition), partition);
    this.session?.pause(partition);
  }

  resume(partition: TopicPartition): void {
    const name = partitionName(partition);
    if (this.paused.delete(name) && !this.held.has(name)) this.session?.resume(partition);
  }

  async commit(items: readonly CommitItem[]): Promise<readonly CommitItem[]> {
    const current = items.filter((item) => this.ownership.holds(item));
    if (this.stopped || this.session === null) {
      throw new DriverError('closed', 'the consumer is not in its group');
    }
    if (current.length > 0) await this.session.commit(current);
    for (const item of current) {
      if (this.ownership.holds(item)) this.committed.set(partitionName(item), item.offset);
    }
    return current;
  }

  quiesce(): void {
    this.quiesced = true;
    this.session?.quiesce();
  }

  async stop(deadlineMs: number): Promise<void> {
    if (this.stopped) return;
    this.stopped = true;
    clearTimeout(this.restart);
    this.ownership.loseAll();
    await this.session?.close(deadlineMs);
    this.tell('onState', (hooks) => {
      hooks.onState('stopped');
    });
  }

  // SessionOwner

  async revoking(): Promise<void> {
    this.tell('onState', (hooks) => {
      hooks.onState('rebalancing');
    });
    const owned = this.ownership.all();
    if (owned.length === 0) return;
    try {
      await this.hooks?.onRevoking(owned, this.config.revokeDrainMs);
    } catch (error) {
      this.blame('onRevoking', error);
    }
  }

  assigned(
    partitions: readonly TopicPartition[],
    uninterrupted: boolean,
    generation: number,
  ): void {
    this.had = { partitions, generation };
    const change = this.ownership.assign(partitions, uninterrupted);
    this.announce(change);
    for (const name of change.kept.map(partitionName)) {
      const committed = this.committed.get(name);
      if (committed !== undefined) this.floors.set(name, committed);
    }
    this.tell('onState', (hooks) => {
      hooks.onState('running');
    });
  }

  lost(): void {
    this.paused.clear();
    this.held.clear();
    this.committed.clear();
    this.floors.clear();
    const lost = this.ownership.loseAll();
    if (lost.length > 0)
      this.tell('onLost', (hooks) => {
        hooks.onLost(lost);
      });
  }

  epochOf(partition: TopicPartition): number | undefined {
    return this.ownership.epochOf(partition);
  }

  records(batch: RecordBatch): void {
    const name = partitionName(batch);
    const floor = this.floors.get(name);
    if (floor === undefined || !this.floors.delete(name) || firstOffset(batch) >= floor) {
      this.hooks?.onRecords(batch);
      return;
    }
    // Commits are forgotten with their topic: these are records of another one, of the same name.
    this.log('warn', `${name} begins anew, before its commit ${String(floor)}: it was made anew`);
    const change = this.ownership.renew(batch);
    this.announce(change);
    for (const { epoch } of change.gained) this.hooks?.onRecords({ ...batch, epoch });
  }

  outOfRange(partition: TopicPartition): void {
    const name = partitionName(partition);
    if (this.held.has(name) || this.ownership.epochOf(partition) === undefined) return;
    this.held.set(name, partition);
    this.session?.pause(partition);
    this.tell('onOffsetOutOfRange', (hooks) => {
      hooks.onOffsetOutOfRange(partition);
    });
  }

  unavailable(topics: ReadonlyMap<string, DriverError>): void {
    const before = this.unavailableTopics;
    this.unavailableTopics = topics;
    for (const [topic, error] of topics) {
      if (before.has(topic)) continue;
      this.tell('onTopicUnavailable', (hooks) => {
        hooks.onTopicUnavailable(topic, error);
      });
    }
    for (const topic of before.keys()) {
      if (topics.has(topic)) continue;
      this.tell('onTopicAvailable', (hooks) => {
        hooks.onTopicAvailable(topic);
      });
    }
  }

  fetchFailed(partition: TopicPartition, error: DriverError): void {
    if (this.ownership.epochOf(partition) === undefined) return;
    this.tell('onFetchFailed', (hooks) => {
      hooks.onFetchFailed(partition, error);
    });
  }

  members(count: number): void {
    this.tell('onMembers', (hooks) => {
      hooks.onMembers(count);
    });
  }

  ended(error: DriverError): void {
    this.lost();
    this.restartAfter(error);
  }

  // Its life

  private async openSession(): Promise<void> {
    if (this.stopped) throw new DriverError('closed', 'the consumer was stopped');
    this.tell('onState', (hooks) => {
      hooks.onState('joining');
    });
    const session = new ConsumerSession(
      this.config,
      retryOptions(this.connection),
      this.createClient(),
      this,
    );
    if (this.quiesced) session.quiesce();
    this.session = session;
    this.openedAt = performance.now();
    try {
      await session.open();
    } catch (error) {
      this.lost();
      throw error;
    }
  }

  private restartAfter(error: DriverError): void {
    if (this.stopped) return;
    this.tell('onState', (hooks) => {
      hooks.onState(isHopeful(error) ? 'restarting' : 'failed', error);
    });
    if (performance.now() - this.openedAt > GOOD_SESSION_MS) this.restarts = 0;
    this.restart = setTimeout(
      () => {
        this.openSession().catch((thrown: unknown) => {
          this.restartAfter(
            thrown instanceof DriverError
              ? thrown
              : new DriverError('retryable', toError(thrown).message),
          );
        });
      },
      restartDelayMs(error, this.restarts++),
    );
  }

  /** Losses before gains: a partition may be in both, under another epoch. */
  private announce({ lost, gained, kept }: OwnershipChange): void {
    for (const partition of [...lost, ...gained]) {
      this.paused.delete(partitionName(partition));
      this.held.delete(partitionName(partition));
      this.committed.delete(partitionName(partition));
      this.floors.delete(partitionName(partition));
    }
    // kafkajs remembers pauses of partitions that it lost meanwhile.
    this.session?.pauseOnly([...this.paused.values(), ...this.held.values()]);
    if (lost.length > 0)
      this.tell('onLost', (hooks) => {
        hooks.onLost(lost);
      });
    this.tell('onAssigned', (hooks) => {
      hooks.onAssigned(gained, kept);
    });
  }

  // A hook that throws must not reach kafkajs: its own type of error would decide how it goes on.
  private tell(hook: keyof ConsumerHooks, call: (hooks: ConsumerHooks) => void): void {
    try {
      if (this.hooks !== null) call(this.hooks);
    } catch (error) {
      this.blame(hook, error);
    }
  }

  private blame(hook: keyof ConsumerHooks, error: unknown): void {
    this.log('error', `the hook ${hook} threw: ${toError(error).message}`, {
      stack: toError(error).stack,
    });
  }
}

function firstOffset({ records, nextOffset }: RecordBatch): bigint {
  return records[0]?.offset ?? nextOffset;
}
