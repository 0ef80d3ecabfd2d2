import { Alarm } from '../contracts/alarm.js';
import { sleep, type Clock } from '../contracts/clock.js';
import { Lease } from '../contracts/lease.js';
import { withinMs } from '../contracts/within.js';
import { redacted } from '../failure/redact.js';
import { retryDelayMs, type RetryPace } from '../failure/retry-policy.js';
import { StoreUnavailableError, toError, type DriverError } from '../kafka-events.errors.js';
import type { KafkaDriver } from '../kafka/driver.js';
import type { OutboxHealth } from '../observability/health-report.js';
import type { SignalSink } from '../observability/observer.js';
import { OutboxLease } from './outbox-lease.js';
import type { OutboxSettings } from './outbox-options.js';
import type { OutboxStats, PendingRecord } from './outbox-store.js';
import { TopicRelay } from './topic-relay.js';

const BACKOFF = {
  attempts: Infinity,
  initialDelayMs: 200,
  factor: 2,
  maxDelayMs: 10_000,
  jitter: 0.5,
} satisfies RetryPace;

/** How often the one that publishes counts what waits. */
const STATS_MS = 10_000;

/** The shortest time between two looks while a topic is on its way. */
const AT_WORK_MS = 20;

const CLOSE_PRODUCERS_MS = 1_000;

export interface OutboxRelayOptions {
  readonly settings: OutboxSettings;
  readonly driver: Pick<KafkaDriver, 'producer'>;
  readonly clock: Clock;
  /** A number in [0, 1), as `Math.random` gives. */
  readonly random: () => number;
  readonly sink: SignalSink;
  /** Takes secrets out of what is kept of an error. */
  readonly redact: (text: string) => string;
  readonly owner: string;
  readonly maxBatchRecords: number;
  readonly requestTimeoutMs: number;
}

/** A topic on its way: at work, or waiting until it is tried again. */
interface Lane {
  readonly relay: TopicRelay;
  working: Promise<void> | null;
  failures: number;
  retryAt: number;
  error: Error | null;
}

/**
 * Publishes what the outbox holds, in one process at a time.
 *
 *     lease ─ read what may go ─ by topic: request ─ acknowledged ─ remove, in one round trip ─ read again
 *                                              │  └ refused for its content: hold the record and its key
 *                                              └ topic takes nothing: wait, then again; others go on
 *
 * A record is removed only after the broker has it: whoever dies in between leaves it to be published once
 * more under the same event id.
 */
export class OutboxRelay {
  readonly #lease: Lease;
  readonly #lanes = new Map<string, Lane>();
  readonly #alarm: Alarm;
  /** Ids of what the broker has, and the store could not remove. */
  readonly #leftovers = new Set<string>();
  #running: Promise<void> | null = null;
  #stopListening: (() => Promise<void>) | null = null;
  #stopping = false;
  #stats: OutboxStats | null = null;
  #countedAt = -Infinity;
  #storeError: Error | null = null;
  #storeFailures = 0;

  constructor(private readonly options: OutboxRelayOptions) {
    const { settings, clock, owner, sink } = options;
    this.#alarm = new Alarm(clock);
    this.#lease = new Lease({
      store: new OutboxLease(settings.store, owner),
      leaseMs: settings.leaseMs,
      clock,
      onChange: (leading) => {
        sink.emit('outboxLeads', { leading });
      },
    });
  }

  health(): OutboxHealth {
    const { redact } = this.options;
    const leading = this.#lease.isHeld;
    // Of no use, and old before long, where another process publishes.
    const stats = leading ? this.#stats : null;
    return {
      leading,
      pending: stats?.pending ?? null,
      oldestAgeMs: stats?.oldestAgeMs ?? null,
      held: stats?.held ?? null,
      failing: [...this.#lanes].flatMap(([topic, { error }]) =>
        error === null ? [] : [{ topic, error: redact(error.message) }],
      ),
      storeError: redacted(this.#storeError, redact),
    };
  }

  /**
   * Checks the store and begins to publish.
   *
   * @throws whatever `verify` of the store rejects with and time does not mend, such as MissingTablesError.
   */
  async start(): Promise<void> {
    const { store, relay } = this.options.settings;
    try {
      await store.verify?.();
    } catch (thrown) {
      if (!(thrown instanceof StoreUnavailableError)) throw thrown;
      this.#storeFailed(thrown);
    }
    if (!relay || this.#stopping) return;
    this.#stopListening =
      store.onAdded?.(() => {
        this.wake();
      }) ?? null;
    this.#running = this.#run();
  }

  /** There may be something to publish; who does not lead looks at its own pace. */
  wake(): void {
    if (this.#lease.isHeld) this.#alarm.ring();
  }

  /** Lets what is on its way end, gives the lease back; resolves by the deadline or a little later, never rejects. */
  async stop(deadlineMs: number): Promise<void> {
    if (this.#stopping) return;
    this.#stopping = true;
    this.#alarm.ring();
    const { clock } = this.options;
    const working = [...this.#lanes.values()].flatMap(({ working: at }) => at ?? []);
    await withinMs(
      Promise.all([...working, this.#running ?? Promise.resolve()]),
      deadlineMs,
      clock,
    );
    const closing = [
      this.#lease.giveBack(),
      this.#stopListening?.() ?? Promise.resolve(),
      ...[...this.#lanes.values()].map(({ relay }) => relay.close()),
    ];
    await withinMs(Promise.all(closing), CLOSE_PRODUCERS_MS, clock);
  }

  async #run(): Promise<void> {
    while (!this.#stopping) {
      await this.#alarm.wait(await this.#round());
      // Every commit may ring; what is at work is not looked for again and again meanwhile.
      if (this.#isWorking() && !this.#isStopping()) await sleep(this.options.clock, AT_WORK_MS);
    }
  }

  /** Starts what may go; answers how long to wait for the next look, unless woken. */
  async #round(): Promise<number> {
    const { settings, clock } = this.options;
    const { store, batchSize, pollMs } = settings;
    try {
      const waitMs = await this.#lease.take();
      if (waitMs !== null) return waitMs;
      await this.#count();
      await this.#removeLeftovers();
      const records = await store.next(this.options.owner, batchSize, this.#closedTopics());
      this.#storeError = null;
      this.#storeFailures = 0;
      for (const [topic, own] of byTopic(records)) this.#publish(topic, own);
      // What is left comes when one of these topics is done.
      const retries = [...this.#lanes.values()].flatMap(({ working, retryAt }) =>
        working === null && retryAt > clock.now() ? [retryAt - clock.now()] : [],
      );
      return Math.min(pollMs, ...retries);
    } catch (thrown) {
      this.#storeFailed(toError(thrown));
      return retryDelayMs(BACKOFF, this.#storeFailures, this.options.random());
    }
  }

  #isWorking(): boolean {
    return [...this.#lanes.values()].some(({ working }) => working !== null);
  }

  #isStopping(): boolean {
    return this.#stopping;
  }

  #closedTopics(): string[] {
    const now = this.options.clock.now();
    return [...this.#lanes].flatMap(([topic, { working, retryAt }]) =>
      working !== null || retryAt > now ? [topic] : [],
    );
  }

  #publish(topic: string, records: readonly PendingRecord[]): void {
    const lane = this.#laneOf(topic);
    lane.working = this.#work(topic, lane, records).finally(() => {
      lane.working = null;
      this.#alarm.ring();
    });
  }

  async #work(topic: string, lane: Lane, records: readonly PendingRecord[]): Promise<void> {
    const { sink, clock, random } = this.options;
    try {
      await lane.relay.publish(records);
      lane.failures = 0;
      lane.error = null;
    } catch (thrown) {
      const error = toError(thrown);
      lane.failures++;
      lane.error = error;
      lane.retryAt = clock.now() + retryDelayMs(BACKOFF, lane.failures, random());
      sink.emit('outboxFailed', { topic, error });
    }
  }

  #laneOf(topic: string): Lane {
    const known = this.#lanes.get(topic);
    if (known !== undefined) return known;
    const { driver, clock, maxBatchRecords, requestTimeoutMs, sink, redact, settings } =
      this.options;
    const { store } = settings;
    const relay = new TopicRelay({
      topic,
      createProducer: () => driver.producer(),
      clock,
      maxBatchRecords,
      // Twice, so that the client's own timeout comes first and it retries by itself.
      sendTimeoutMs: 2 * requestTimeoutMs,
      mayGo: () => this.#lease.isHeld && !this.#stopping,
      onPublished: async (published) => {
        sink.emit('outboxPublished', { topic, records: published.length });
        await this.#remove(published.map(({ id }) => id));
      },
      onRefused: async (record: PendingRecord, error: DriverError) => {
        const { id, eventId, eventType } = record;
        sink.emit('outboxHeld', { topic, eventId, eventType, error });
        await store.hold(id, redact(`${error.name}: ${error.message}`));
      },
    });
    const lane: Lane = { relay, working: null, failures: 0, retryAt: -Infinity, error: null };
    this.#lanes.set(topic, lane);
    return lane;
  }

  async #remove(ids: readonly string[]): Promise<void> {
    for (const id of ids) this.#leftovers.delete(id);
    try {
      await this.options.settings.store.remove(ids);
    } catch (thrown) {
      for (const id of ids) this.#leftovers.add(id);
      throw thrown;
    }
  }

  /** Before each look, which would find them again; topics that are at work may leave more meanwhile. */
  async #removeLeftovers(): Promise<void> {
    while (this.#leftovers.size > 0) await this.#remove([...this.#leftovers]);
  }

  async #count(): Promise<void> {
    const { clock, settings, sink } = this.options;
    if (clock.now() - this.#countedAt < STATS_MS) return;
    this.#stats = await settings.store.stats();
    this.#countedAt = clock.now();
    sink.emit('outboxCounted', this.#stats);
  }

  #storeFailed(error: Error): void {
    this.#storeError = error;
    this.#storeFailures++;
    this.options.sink.emit('outboxFailed', { topic: null, error });
  }
}

function byTopic(records: readonly PendingRecord[]): ReadonlyMap<string, readonly PendingRecord[]> {
  const topics = new Map<string, PendingRecord[]>();
  for (const record of records) {
    const own = topics.get(record.topic);
    if (own === undefined) topics.set(record.topic, [record]);
    else own.push(record);
  }
  return topics;
}
