import { setTimeout as delay } from 'node:timers/promises';

import { withinMs } from '../contracts/within.js';
import type { Claims } from '../idempotency/claims.js';
import {
  DriverError,
  ShutdownError,
  StoreUnavailableError,
  toError,
} from '../kafka-events.errors.js';
import type { HandlerRef } from '../observability/observer.js';
import type { GroupHealth, StalledPartition } from '../observability/health-report.js';
import type { RecordTroubles } from '../observability/record-troubles.js';
import { BufferBudget } from './buffer-budget.js';
import { groupHealth } from './consumer-health.js';
import { buildGroup, type ProcessSurroundings } from './build-group.js';
import type { ConsumerControl } from './consumer-control.js';
import { DirectDoor } from './direct/direct-door.js';
import type { BoundHandler } from './event-handler.js';
import type { GroupConsumer } from './group-consumer.js';
import { Quarantine } from './quarantine.js';
import { ensureTopics } from './required-topics.js';
import { StallWatch } from './stall-watch.js';
import { withoutCommits } from './without-commits.js';

/** Time that leaving the groups may take after the drain. */
const LEAVE_MS = 5_000;
/** Nobody listens: whoever delivers is in this process. */
const NO_DIRECT_DELIVERY = { deadlineMs: 30_000, maxInFlight: 64 };
const FIRST_RETRY_MS = 1_000;
const LONGEST_RETRY_MS = 30_000;

export interface JoinOptions {
  /** Whether what is dealt with is committed. */
  readonly commits: boolean;
}

/** All consumer groups of one application: started at boot, stopped before anything else is destroyed. */
export class EventConsumers {
  readonly #groups = new Map<
    string,
    { readonly consumer: GroupConsumer; readonly claims: Claims; readonly detach: () => void }
  >();
  readonly #stopping = new AbortController();
  readonly #budget: BufferBudget;
  readonly #parkedBudget: BufferBudget;
  /** Of the whole process: a suspect must be alone in it. */
  readonly #quarantine = new Quarantine();
  readonly #stalls: StallWatch;
  /** Takes events that do not come from Kafka. */
  readonly direct: DirectDoor;
  #expected: readonly string[] = [];
  #problem: Error | null;

  constructor(
    private readonly around: ProcessSurroundings,
    private readonly control: ConsumerControl,
    troubles: RecordTroubles,
  ) {
    const { maxBufferedBytes, retryTopic, connect, consume, views } = around.settings;
    const willStart = connect && (consume || views !== null);
    this.#problem = willStart ? new Error('the application has not booted yet') : null;
    this.#budget = new BufferBudget(maxBufferedBytes);
    this.#parkedBudget = new BufferBudget(retryTopic.maxWaitingBytes);
    const { settings, signals } = around;
    const { clock, deadLetter, directDelivery } = settings;
    this.#stalls = new StallWatch(() => this.consumers, troubles, signals, clock);
    const { deadlineMs, maxInFlight } = directDelivery ?? NO_DIRECT_DELIVERY;
    this.direct = new DirectDoor({
      // Those that were joined beside come and go, and take nothing directly.
      groups: () => this.#expected.flatMap((id) => this.#groups.get(id)?.consumer.direct ?? []),
      deadLetterTopic: deadLetter.topicName,
      ...{ deadlineMs, maxInFlight, signals, clock },
    });
  }

  get consumers(): readonly GroupConsumer[] {
    return [...this.#groups.values()].map(({ consumer }) => consumer);
  }
  health(redact: (text: string) => string): readonly GroupHealth[] {
    const now = this.around.settings.clock.now();
    return this.consumers.map((group) =>
      groupHealth(group, this.control.heldIn(group), redact, now),
    );
  }
  /** Why the consumers are not started yet; null once they are. */
  get problem(): Error | null {
    return this.#problem;
  }
  get stopping(): boolean {
    return this.#stopping.signal.aborted;
  }
  /** The suspect for whom everything else waits; null when nothing does. */
  get suspect(): HandlerRef | null {
    return this.#quarantine.suspect;
  }
  get stalled(): readonly StalledPartition[] {
    return this.#stalls.stalled;
  }
  get bufferedBytes(): number {
    return this.#budget.used + this.#parkedBudget.used;
  }

  /**
   * Checks topics and store, joins the groups and resolves at their first assignment.
   *
   * With `onUnavailable: 'retry'` it also resolves when broker or store are away, and keeps trying.
   *
   * @throws MissingTopicsError, a DriverError that is not retryable, or whatever else time does not mend.
   * @throws DriverError or StoreUnavailableError when one is away and `onUnavailable` is `'fail'`.
   */
  async start(handlers: readonly BoundHandler[]): Promise<void> {
    this.#problem = handlers.length === 0 ? null : new Error('they are about to join');
    this.#stalls.start();
    if (handlers.length === 0) return;
    this.#expected = [...new Set(handlers.map(({ settings }) => settings.groupId))];
    try {
      await this.around.settings.directDelivery?.transport.listen(this.direct);
      await this.#tryStart(handlers);
    } catch (thrown) {
      const error = toError(thrown);
      if (this.#stopping.signal.aborted) return;
      await this.#dropGroups(this.#expected, 0);
      if (this.around.settings.onUnavailable === 'fail' || !mayPass(error)) {
        // Nest closes nothing of an application that failed to boot.
        this.#stalls.stop();
        await this.#stopListening();
        await this.around.settings.idempotency.store.close?.();
        throw error;
      }
      this.#failed(error);
      void this.#keepTrying(handlers);
    }
  }

  postpone(reason: string): void {
    this.#problem = new Error(reason);
  }

  /** Drains, commits and leaves every group; resolves within the drain time and a little, never rejects. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#stalls.stop();
    await this.#dropGroups([...this.#groups.keys()], this.around.settings.shutdownDrainMs);
    await this.#stopListening();
  }

  /** Last of all: deliveries that were drained are still answered. */
  async #stopListening(): Promise<void> {
    const { directDelivery, clock } = this.around.settings;
    const closing = directDelivery?.transport.close() ?? Promise.resolve();
    await withinMs(closing, LEAVE_MS, clock);
  }

  /**
   * Joins one more group, beside those of `start`; resolves at its first assignment. When it rejects, the group is
   * not there.
   *
   * @param options.commits false for a group that reads everything at every start: it leaves nothing on the broker.
   * @throws MissingTopicsError, DriverError as `start` does, whatever `onUnavailable` says.
   */
  async join(
    groupId: string,
    handlers: readonly BoundHandler[],
    options: JoinOptions,
  ): Promise<void> {
    await this.#ensureTopics(handlers);
    if (this.#stopping.signal.aborted) throw new ShutdownError();
    try {
      await this.#startGroup(groupId, handlers, options);
    } catch (error) {
      await this.leave(groupId, 0);
      throw error;
    }
  }

  /** Drains, commits and leaves a group that was joined, and forgets it. Never rejects. */
  async leave(
    groupId: string,
    drainMs: number = this.around.settings.shutdownDrainMs,
  ): Promise<void> {
    await this.#dropGroups([groupId], drainMs);
  }

  async #tryStart(handlers: readonly BoundHandler[]): Promise<void> {
    const { settings } = this.around;
    await this.#ensureTopics(handlers);
    await settings.idempotency.store.verify?.();
    // The shutdown may have come meanwhile: from here on it would not know of what we start.
    if (this.#stopping.signal.aborted) throw new ShutdownError();
    const starting = this.#expected.map((groupId) => {
      const own = handlers.filter((handler) => handler.settings.groupId === groupId);
      return this.#startGroup(groupId, own, { commits: true });
    });
    const results = await Promise.allSettled(starting);
    const failed = results.find((result) => result.status === 'rejected');
    if (failed !== undefined) throw toError(failed.reason);
    this.#problem = null;
  }

  async #ensureTopics(handlers: readonly BoundHandler[]): Promise<void> {
    const admin = this.around.driver.admin();
    try {
      await ensureTopics(this.around.settings, handlers, admin);
    } finally {
      await admin.close();
    }
  }

  async #startGroup(
    groupId: string,
    handlers: readonly BoundHandler[],
    { commits }: JoinOptions,
  ): Promise<void> {
    const { settings, driver } = this.around;
    const around = {
      ...this.around,
      ...{ budget: this.#budget, parkedBudget: this.#parkedBudget, quarantine: this.#quarantine },
      driver: commits ? driver : withoutCommits(driver),
    };
    const group = buildGroup(settings.group(groupId), handlers, around);
    const detach = this.control.attach(group.consumer);
    this.#groups.set(groupId, { ...group, detach });
    await group.consumer.start();
  }

  async #keepTrying(handlers: readonly BoundHandler[]): Promise<void> {
    const { signal } = this.#stopping;
    const isStopping = (): boolean => signal.aborted;
    for (let waitMs = FIRST_RETRY_MS; ; waitMs = Math.min(waitMs * 2, LONGEST_RETRY_MS)) {
      await delay(waitMs, undefined, { signal }).catch(() => undefined);
      if (isStopping()) return;
      try {
        await this.#tryStart(handlers);
        return;
      } catch (thrown) {
        if (isStopping()) return;
        await this.#dropGroups(this.#expected, 0);
        this.#failed(toError(thrown));
      }
    }
  }

  async #dropGroups(ids: readonly string[], drainMs: number): Promise<void> {
    const groups = ids.flatMap((id) => this.#groups.get(id) ?? []);
    await Promise.all(
      groups.map(async ({ consumer, claims, detach }) => {
        detach();
        await consumer.stop(drainMs, LEAVE_MS);
        claims.close();
      }),
    );
    // After a failed start only: a stopped application still answers for its health.
    if (this.#stopping.signal.aborted) return;
    for (const id of ids) this.#groups.delete(id);
  }

  #failed(error: Error): void {
    this.#problem = error;
    for (const groupId of this.#expected) {
      this.around.signals.emit('consumerState', { groupId, state: 'failed', error });
    }
  }
}

/** Whether waiting may help: wrong credentials, missing topics and defects do not go away by themselves. */
export function mayPass(error: Error): boolean {
  const isOurs = error instanceof DriverError || error instanceof StoreUnavailableError;
  return isOurs && error.retryable;
}
