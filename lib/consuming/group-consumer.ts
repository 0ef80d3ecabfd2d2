import { withinMs } from '../contracts/within.js';
import type { Clock } from '../contracts/clock.js';
import type {
  CommitItem,
  ConsumerDriver,
  ConsumerHooks,
  ConsumerState,
  OwnedTopicPartition,
} from '../kafka/driver.js';
import { MAX_PARKED_MS } from '../failure/retry-policy.js';
import { partitionName, type RecordBatch, type TopicPartition } from '../kafka/records.js';
import { ShutdownError, toError } from '../kafka-events.errors.js';
import type { GroupSettings } from '../kafka-events.options.js';
import type { SignalSink } from '../observability/observer.js';
import type { BatchLoops } from './batch/batch-loops.js';
import type { BufferBudget } from './buffer-budget.js';
import { ConsumedRecord } from './consumed-record.js';
import type { ControlledGroup } from './consumer-control.js';
import { recordRef, type Delivery } from './delivery.js';
import type { DirectGroup } from './direct/direct-group.js';
import type { TopicRoutes } from './event-router.js';
import { FlowControl } from './flow-control.js';
import type { Ordering } from './handler-options.js';
import type { HandlerRuntime } from './handler-runtime.js';
import type { HeldKey, KeyHolds } from './key-holds.js';
import type { MarkKeeper } from './mark-keeper.js';
import { OffsetCommitter } from './offset-committer.js';
import { openParked } from './open-parked.js';
import { OwnedPartition, RecordPlace } from './owned-partition.js';
import type { RecordEnding, RecordOutcome } from './record-ending.js';
import type { Opened, RecordPipeline } from './record-pipeline.js';
import type { RunningHandler, RunningHandlers } from './running-handlers.js';

/** Of the time before a rejoin; the rest is for the commit. */
const DRAIN_SHARE = 0.75;

/** A handler that is held, why, and since when by `Clock.now`. */
export interface HandlerOutage {
  readonly handlerId: string;
  readonly error: Error;
  readonly since: number;
}

/** What a group consumes from one physical topic. */
export interface ConsumedTopic {
  readonly routes: TopicRoutes;
  /** Of its lanes. */
  readonly ordering: Ordering;
  /** Of a retry topic: the physical topic whose records are parked in it. Else null. */
  readonly parkedFrom: string | null;
  /** Whether its handlers take batches, which keep the order by themselves: records leave their lane for them. */
  readonly batches: boolean;
}

export interface GroupConsumerParts {
  readonly settings: GroupSettings;
  readonly driver: ConsumerDriver;
  /** By physical topic. */
  readonly topics: ReadonlyMap<string, ConsumedTopic>;
  readonly pipeline: RecordPipeline;
  readonly keyHolds: KeyHolds;
  /** Takes events that do not come from Kafka. */
  readonly direct: DirectGroup;
  /** Queues a record until its handlers have tickets; `pump` looks again. */
  readonly dispatch: (delivery: Delivery) => void;
  /** Has a record wait for its batch. */
  readonly toBatches: BatchLoops;
  readonly pump: () => void;
  readonly running: RunningHandlers;
  readonly marks: MarkKeeper;
  readonly handlers: readonly HandlerRuntime[];
  readonly budget: BufferBudget;
  /** Of retry topics. */
  readonly parkedBudget: BufferBudget;
  readonly maxWaiting: number;
  readonly signals: SignalSink;
  readonly clock: Clock;
  /** True when the idempotency store is one that other members of the group cannot see. */
  readonly unsharedStore: boolean;
}

/**
 * One consumer group in this process: what it owns, and the only place where offsets move.
 *
 * Records come from the driver and go into the lanes of their partition; what the pipeline ends is
 * settled in the tracker, and the watermark is committed. Before every rejoin the partitions drain
 * and commit; afterwards each goes on where it was, or is lost and its queued work dropped.
 */
export class GroupConsumer implements ConsumerHooks, ControlledGroup, RecordEnding {
  readonly #owned = new Map<string, OwnedPartition<ConsumedRecord>>();
  readonly #committer: OffsetCommitter;
  readonly #flow: FlowControl;
  #state: ConsumerState = 'joining';
  #error: Error | null = null;
  #stopping = false;
  #failedCommits = 0;
  readonly #unavailable = new Map<string, Error>();
  #isHeld: (topic: string) => boolean = () => false;

  constructor(private readonly parts: GroupConsumerParts) {
    const { settings, driver, signals, clock, maxWaiting } = parts;
    const { groupId } = settings;
    this.#committer = new OffsetCommitter({
      intervalMs: settings.commitIntervalMs,
      clock,
      commit: (items) => driver.commit(items),
      onCommitted: (items: readonly CommitItem[]) => {
        this.#failedCommits = 0;
        signals.emit('committed', { groupId, partitions: items.length });
      },
      onFailed: (error) => {
        this.#failedCommits++;
        signals.emit('commitFailed', { groupId, error });
      },
    });
    this.#flow = new FlowControl({
      maxSpan: settings.maxSpan,
      maxWaiting,
      pause: (partition) => {
        driver.pause(partition);
        signals.emit('partitionPaused', this.#ref(partition));
        // Span pressure: what is settled but not committed is worth a commit now.
        void this.#committer.flush();
      },
      resume: (partition) => {
        driver.resume(partition);
        signals.emit('partitionResumed', this.#ref(partition));
      },
    });
  }

  get groupId(): string {
    return this.parts.settings.groupId;
  }
  get state(): ConsumerState {
    return this.#state;
  }
  get error(): Error | null {
    return this.#error;
  }
  /** Commits that failed since the last one that did not. */
  get failedCommits(): number {
    return this.#failedCommits;
  }
  /** How long an offset may stand still before that is a stall. */
  get stallAfterMs(): number {
    return this.parts.settings.stallAfterMs;
  }
  /** Physical topics that cannot be consumed now, and why. */
  get unavailableTopics(): ReadonlyMap<string, Error> {
    return this.#unavailable;
  }
  get running(): Iterable<RunningHandler> {
    return this.parts.running;
  }
  /** Handlers that are held because what they depend on is down. */
  get outages(): readonly HandlerOutage[] {
    return this.parts.handlers.flatMap(({ id, breaker }) => {
      const outage = breaker?.outage ?? null;
      return outage === null ? [] : [{ handlerId: id, ...outage }];
    });
  }
  /** Physical names. */
  get topics(): readonly string[] {
    return [...this.parts.topics.keys()];
  }
  /** Keys that wait for a dead-lettered record. */
  get heldKeys(): readonly HeldKey[] {
    return this.parts.keyHolds.held;
  }
  get direct(): DirectGroup {
    return this.parts.direct;
  }
  get handlers(): readonly HandlerRuntime[] {
    return this.parts.handlers;
  }
  handlersOf(topic: string): readonly HandlerRuntime[] {
    const routes = this.parts.topics.get(topic)?.routes.routes ?? [];
    return [...new Set(routes.flatMap(({ handlers }) => handlers))];
  }
  orderingOf(topic: string): Ordering {
    return this.parts.topics.get(topic)?.ordering ?? 'key';
  }
  get partitions(): readonly OwnedPartition[] {
    return [...this.#owned.values()];
  }

  holdTopics(isHeld: (topic: string) => boolean): void {
    // Whoever pauses a topic does not mean its records to come back from the retry topic.
    this.#isHeld = (topic) => isHeld(topic) || isHeld(this.#parkedFrom(topic) ?? topic);
    for (const owned of this.#owned.values()) this.#flow.hold(owned, this.#isHeld(owned.topic));
    this.parts.direct.holdTopics(this.#isHeld);
    this.parts.pump();
  }

  releaseKey(topic: string, key: Buffer): number {
    return this.parts.keyHolds.release(topic, key);
  }

  /** Joins the group; resolves at the first assignment. */
  start(): Promise<void> {
    this.parts.marks.start();
    return this.parts.driver.start(this);
  }

  /** Stops fetching, lets running handlers finish until the deadline, commits, leaves. Never rejects. */
  async stop(drainMs: number, leaveMs: number): Promise<void> {
    const { direct, driver } = this.parts;
    this.#stopping = true;
    driver.quiesce();
    direct.close();
    const draining = [...this.partitions, ...direct.partitions];
    if (!(await this.#drain(draining, drainMs))) this.#abandon();
    direct.abandon();
    await withinMs(this.#committer.flush(), leaveMs, this.parts.clock);
    await driver.stop(leaveMs);
    this.onLost(this.partitions);
    this.#committer.close();
    this.parts.marks.close();
    this.parts.running.close();
    this.onState('stopped');
  }

  /** Runs a record whose handlers all have a ticket. */
  readonly deliver = (delivery: Delivery): void => {
    this.parts.pipeline.run(delivery, this);
  };

  ended(consumed: ConsumedRecord, outcome: RecordOutcome): void {
    if (outcome === 'abandoned' || consumed.partition.lost) return;
    try {
      const next = this.#settle(consumed);
      if (next !== null) this.#begin(next);
    } catch (error) {
      this.faulted(consumed, error);
    }
  }

  /** A defect of ours: better a stalled partition, named in health, than a skipped record. */
  faulted(consumed: ConsumedRecord, error: unknown): void {
    const ref = recordRef(this.groupId, consumed);
    this.parts.signals.emit('engineFault', { ...ref, error: toError(error) });
  }

  onAssigned(gained: readonly OwnedTopicPartition[], kept: readonly OwnedTopicPartition[]): void {
    const { clock, signals } = this.parts;
    for (const owned of gained) {
      const partition = new OwnedPartition<ConsumedRecord>(owned, clock, this.#budgetOf(owned));
      this.#owned.set(partitionName(owned), partition);
      this.#flow.hold(partition, this.#isHeld(owned.topic));
      partition.budget.join();
      signals.emit('partitionAssigned', { ...this.#ref(owned), epoch: owned.epoch });
    }
    if (this.#stopping) {
      // A rebalance in the middle of a shutdown: nothing starts on what it left or brought us.
      for (const partition of this.#owned.values()) partition.drain();
      return;
    }
    for (const owned of kept) this.#owned.get(partitionName(owned))?.resume();
    this.parts.pump();
  }

  onRecords(batch: RecordBatch): void {
    const partition = this.#owned.get(partitionName(batch));
    const topic = this.parts.topics.get(batch.topic);
    if (partition?.epoch !== batch.epoch || topic === undefined) return;
    partition.fetchError = null;
    const now = this.parts.clock.now();
    const { records } = batch;
    for (let i = 0; i < records.length; i++) {
      const record = records[i];
      if (record === undefined) break;
      const nextOffset = records[i + 1]?.offset ?? batch.nextOffset;
      const laneKey = laneKeyOf(topic.ordering, record.key);
      const place = new RecordPlace(record.offset, nextOffset, laneKey, now);
      if (!partition.tracker.deliver(place)) continue;
      this.#accept(new ConsumedRecord(record, partition, place));
    }
    if (partition.tracker.skipTo(batch.nextOffset)) this.#committer.schedule(partition);
    this.#flow.afterDelivery(partition);
  }

  async onRevoking(owned: readonly OwnedTopicPartition[], deadlineMs: number): Promise<void> {
    const partitions = owned.flatMap((each) => this.#owned.get(partitionName(each)) ?? []);
    // Even a drain that runs out of time has settled something: its commit needs a share of it.
    await this.#drain(partitions, deadlineMs * DRAIN_SHARE);
    await withinMs(this.#committer.flush(), deadlineMs * (1 - DRAIN_SHARE), this.parts.clock);
  }

  onLost(lost: readonly OwnedTopicPartition[]): void {
    for (const { topic, partition: number } of lost) {
      const name = partitionName({ topic, partition: number });
      const partition = this.#owned.get(name);
      if (partition === undefined) continue;
      this.#owned.delete(name);
      partition.lose();
      this.#flow.forget(partition);
      partition.budget.give(partition.bytes);
      partition.budget.leave();
      const abandoned = [...partition.tracker.unsettled()].length;
      const { epoch } = partition;
      this.parts.signals.emit('partitionLost', { ...this.#ref(partition), epoch, abandoned });
    }
    this.parts.pump();
  }

  onState(state: ConsumerState, cause?: Error): void {
    if (this.#state === 'stopped') return;
    this.#state = state;
    this.#error = cause ?? null;
    const { groupId } = this;
    this.parts.signals.emit('consumerState', { groupId, state, error: this.#error });
  }

  onMembers(members: number): void {
    if (members > 1 && this.parts.unsharedStore) {
      this.parts.signals.emit('unsharedStore', { groupId: this.groupId, members });
    }
  }

  onOffsetOutOfRange(partition: TopicPartition): void {
    this.parts.signals.emit('offsetOutOfRange', this.#ref(partition));
  }

  onFetchFailed(partition: TopicPartition, error: Error): void {
    const owned = this.#owned.get(partitionName(partition));
    if (owned !== undefined) owned.fetchError = error;
    this.parts.signals.emit('fetchFailed', { ...this.#ref(partition), error });
  }

  onTopicUnavailable(topic: string, error: Error): void {
    this.#unavailable.set(topic, error);
    this.parts.signals.emit('topicUnavailable', { groupId: this.groupId, topic, error });
  }

  onTopicAvailable(topic: string): void {
    this.#unavailable.delete(topic);
    this.parts.signals.emit('topicAvailable', { groupId: this.groupId, topic });
  }

  #accept(consumed: ConsumedRecord): void {
    const { partition, bytes } = consumed;
    partition.bytes += bytes;
    partition.budget.take(bytes);
    if (partition.lanes.push(consumed)) this.#begin(consumed);
  }

  /** A record is at the head of its lane: starts it, or settles it and goes on with the next. */
  #begin(head: ConsumedRecord): void {
    const { pipeline, topics } = this.parts;
    for (let next: ConsumedRecord | null = head; next !== null;) {
      const topic = topics.get(next.partition.topic);
      if (topic === undefined) return;
      const opened = this.#open(next, topic);
      if (opened === null) return;
      if (opened.kind === 'deliver') {
        if (opened.parked === null) this.#dispatch(opened, topic);
        else void this.#dispatchWhenDue(opened, topic, opened.parked.dueAt);
        if (!topic.batches) return;
        next = next.partition.lanes.finish(next);
        continue;
      }
      if (opened.kind === 'dead-letter') {
        void pipeline.deadLetter(next, opened, this);
        return;
      }
      next = this.#settle(next);
    }
  }

  #dispatch(delivery: Delivery, { batches }: ConsumedTopic): void {
    if (batches) this.parts.toBatches.take(delivery, this);
    else this.parts.dispatch(delivery);
  }

  /**
   * A parked record waits until it is due with nothing in hand: no ticket, no slot, no claim.
   *
   * @param dueAt milliseconds since the Unix epoch, by whoever parked it.
   */
  async #dispatchWhenDue(delivery: Delivery, topic: ConsumedTopic, dueAt: number): Promise<void> {
    const { partition, place } = delivery.record;
    const { clock } = this.parts;
    // Whoever wrote that time, a record is never hidden for longer than one may be parked.
    const waitMs = Math.min(dueAt - clock.wallTime().getTime(), MAX_PARKED_MS);
    const at = clock.now() + waitMs;
    place.deliveredAt = Math.max(place.deliveredAt, at);
    partition.waiting++;
    const isDue = await partition.whenDue(at);
    partition.waiting--;
    if (!isDue) return;
    this.#flow.afterSettlement();
    this.#dispatch(delivery, topic);
  }

  #open(consumed: ConsumedRecord, { routes, parkedFrom }: ConsumedTopic): Opened | null {
    const { pipeline, signals } = this.parts;
    try {
      if (parkedFrom === null) return pipeline.open(consumed, routes);
      const place = { groupId: this.groupId, source: parkedFrom, routes };
      return openParked(consumed, place, signals);
    } catch (error) {
      this.faulted(consumed, error);
      return null;
    }
  }

  /** The only door to the offset. Answers who is at the head of the record's lane now. */
  #settle(consumed: ConsumedRecord): ConsumedRecord | null {
    const { partition, bytes } = consumed;
    partition.bytes -= bytes;
    partition.budget.give(bytes);
    if (partition.tracker.settle(consumed.place)) this.#committer.schedule(partition);
    this.#flow.afterSettlement();
    return partition.lanes.finish(consumed);
  }

  #parkedFrom(topic: string): string | null {
    return this.parts.topics.get(topic)?.parkedFrom ?? null;
  }

  #budgetOf({ topic }: TopicPartition): BufferBudget {
    const { budget, parkedBudget } = this.parts;
    return this.#parkedFrom(topic) === null ? budget : parkedBudget;
  }

  async #drain(partitions: readonly OwnedPartition[], deadlineMs: number): Promise<boolean> {
    for (const partition of partitions) partition.drain();
    const idle = Promise.all(partitions.map((partition) => partition.whenIdle()));
    if (await withinMs(idle, deadlineMs, this.parts.clock)) return true;
    const running = partitions.reduce((sum, partition) => sum + partition.busy, 0);
    this.parts.signals.emit('drainTimedOut', { groupId: this.groupId, running });
    return false;
  }

  /** Tells handlers that are still running that nobody waits for them any more. */
  #abandon(): void {
    for (const { context } of this.parts.running) context.call.abort(new ShutdownError());
  }

  #ref({ topic, partition }: TopicPartition): TopicPartition & { readonly groupId: string } {
    return { groupId: this.groupId, topic, partition };
  }
}

/** Records without a key have no order to keep. */
function laneKeyOf(ordering: Ordering, key: Buffer | null): string | null {
  if (ordering === 'partition') return '';
  // latin1 maps bytes to characters one to one: different keys stay different.
  return ordering === 'none' || key === null ? null : key.toString('latin1');
}
