import { randomUUID } from 'node:crypto';

import { withinMs } from './contracts/within.js';
import type { ProcessSurroundings } from './consuming/build-group.js';
import { ConsumerControl } from './consuming/consumer-control.js';
import type { ConsumerRuntime } from './consuming/consumer-runtime.js';
import { EventConsumers } from './consuming/event-consumers.js';
import { acceptDurably } from './hybrid/accept-durably.js';
import { DurablePublisher } from './hybrid/durable-publisher.js';
import { HybridRouter } from './hybrid/hybrid-router.js';
import type { KafkaEventsSettings } from './kafka-events.options.js';
import { KafkaEventsHealth } from './observability/health.js';
import { redacted, safeRedactor } from './failure/redact.js';
import { RecordTroubles } from './observability/record-troubles.js';
import { SignalHub } from './observability/signal-hub.js';
import { signalLog, type Log } from './observability/signal-log.js';
import { EventOutbox } from './outbox/event-outbox.js';
import type { OutboxRelay } from './outbox/outbox-relay.js';
import { relayOf } from './outbox/relay-of.js';
import { encoderFor } from './publishing/event-encoder.js';
import { EventPublisher } from './publishing/event-publisher.js';
import { RecordSender } from './publishing/record-sender.js';
import { PartitionScaler } from './scaling/partition-scaler.js';
import { LegacyFeeds } from './legacy/legacy-feeds.js';
import { SyncFallbackClient } from './fallback/sync-fallback-client.js';
import type { MaterialisedViews } from './views/materialised-views.js';
import { viewsOf } from './views/views-of.js';
import { ViewedConsumers } from './views/viewed-consumers.js';

/** How long events that are on their way may take to be acknowledged. */
const FLUSH_MS = 5_000;
const CLOSE_STORE_MS = 1_000;

/** How long calls of other services may take to come back. */
const DRAIN_CALLS_MS = 5_000;

/** How long closing the producers of dead letters and parked records may take. */
const CLOSE_PRODUCERS_MS = 1_000;

/**
 * Everything of one application that talks to Kafka, wired from its settings, without Nest.
 *
 * Making it connects to nothing. `consumers` are started and stopped first, then comes `close`.
 */
export class KafkaEventsEngine {
  readonly publisher: EventPublisher;
  readonly consumers: EventConsumers;
  readonly views: MaterialisedViews;
  /** What the application starts and stops: the consumers, and behind them the views. */
  readonly runtime: ConsumerRuntime;
  readonly health: KafkaEventsHealth;
  readonly control: ConsumerControl;
  readonly scaler: PartitionScaler;
  readonly sync: SyncFallbackClient;
  readonly feeds: LegacyFeeds;
  readonly hybrid: HybridRouter;
  readonly outbox: EventOutbox;
  /** Null where there is no outbox. */
  readonly outboxRelay: OutboxRelay | null;
  /** What others that handle records share with the consumers. */
  readonly surroundings: ProcessSurroundings;
  /** Of dead letters and parked records. */
  private readonly aside: RecordSender;

  constructor(
    private readonly settings: KafkaEventsSettings,
    log: Log,
  ) {
    const { clock, deadLetter, producer, connection, observers } = settings;
    const driver = settings.driver(connection);
    const now = () => clock.now();
    const troubles = new RecordTroubles(now);
    const signals = new SignalHub([
      signalLog(log, safeRedactor(deadLetter.redact), now),
      troubles,
      ...observers,
    ]);
    settings.idempotency.store.onEvict?.((evicted) => {
      signals.emit('storeEvicted', { evicted });
    });
    this.publisher = new EventPublisher({ settings, driver, sink: signals });
    // Of its own: an outage of the publisher's producers must not hold dead letters back.
    this.aside = new RecordSender({
      driver,
      clock,
      sink: signals,
      maxBatchRecords: producer.maxBatchRecords,
      requestTimeoutMs: connection.requestTimeoutMs,
      // The pipeline tries again itself: only it knows when the partition is to be given up.
      once: true,
    });
    this.surroundings = {
      settings,
      driver,
      sink: this.publisher,
      sendAside: (topic, record) => this.aside.send(topic, record, producer.deadlineMs),
      signals,
      random: Math.random,
      owner: randomUUID(),
    };
    this.feeds = new LegacyFeeds({
      settings: settings.legacy,
      store: settings.idempotency.store,
      clientId: connection.clientId,
      owner: randomUUID(),
      sink: this.publisher,
      ...{ clock, signals, random: Math.random },
    });
    this.outboxRelay = relayOf(this.surroundings);
    this.outbox = new EventOutbox({
      store: settings.outbox?.store ?? null,
      encoder: encoderFor(settings, randomUUID),
      topicName: settings.topicName,
      sink: signals,
      wake: () => this.outboxRelay?.wake(),
    });
    const durable = new DurablePublisher({
      ...{ publisher: this.publisher, outbox: this.outbox, clock },
      targets: settings.directTo,
    });
    this.sync = new SyncFallbackClient(settings.sync, {
      ...{ clock, signals, random: Math.random },
      accept: acceptDurably(durable, this.outbox),
    });
    this.hybrid = new HybridRouter({ sync: this.sync, durable, signals, clock });
    this.control = new ConsumerControl(clock, signals);
    this.consumers = new EventConsumers(this.surroundings, this.control, troubles);
    this.views = viewsOf(this.surroundings, this.consumers);
    this.runtime = new ViewedConsumers(this.consumers, this.views, settings.onUnavailable);
    this.health = this.healthOf(signals);
    this.scaler = new PartitionScaler({
      admin: () => driver.admin(),
      groups: () => this.consumers.consumers,
      busyMs: () => performance.eventLoopUtilization().active,
      clock,
    });
  }

  /** Lets calls and `publish` under way finish, then closes clients, producers and the store; never rejects. */
  async close(): Promise<void> {
    // Before the publisher: a call may end as an event.
    await this.sync.close(Math.min(this.settings.shutdownDrainMs, DRAIN_CALLS_MS));
    await this.publisher.close(Math.min(this.settings.shutdownDrainMs, FLUSH_MS));
    await this.aside.close(CLOSE_PRODUCERS_MS);
    for (const target of this.settings.directTo.values()) target.close();
    const { idempotency, views, outbox, legacy } = this.settings;
    const stores = [idempotency.store, views?.store, outbox?.store, legacy.cursors];
    const closing = stores.map(async (store) => store?.close?.());
    await withinMs(Promise.allSettled(closing), CLOSE_STORE_MS);
  }

  private healthOf(signals: SignalHub): KafkaEventsHealth {
    const { publisher, consumers, sync, views, feeds, outboxRelay } = this;
    const redact = safeRedactor(this.settings.deadLetter.redact);
    return new KafkaEventsHealth(this.settings.clock, () => ({
      parts: {
        groups: consumers.health(redact),
        stalled: consumers.stalled,
        views: views.health(),
        publisher: publisher.health(redact),
        sync: sync.health(redact),
        feeds: feeds.health(redact),
        outbox: outboxRelay?.health() ?? null,
        bufferedBytes: consumers.bufferedBytes,
        counts: signals.counts,
      },
      startProblem: redacted(consumers.problem, redact),
      suspect: consumers.suspect,
      stopping: consumers.stopping,
    }));
  }
}
