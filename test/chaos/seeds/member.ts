import type { Clock, TimerHandle } from '../../../lib/contracts/clock.js';
import { kafkaJsDriver } from '../../../lib/kafka/drivers/kafkajs/kafkajs-driver.js';
import type { KafkaDriver } from '../../../lib/kafka/driver.js';
import type { ConnectionSettings } from '../../../lib/kafka/connection.js';
import { KafkaEventsEngine } from '../../../lib/kafka-events.engine.js';
import { resolveOptions } from '../../../lib/resolve-options.js';
import type { Link } from '../../simulation/virtual-network.js';
import { clientIdOf } from './brokers.js';
import { PlannedHandlers, type HandlerProcess } from './handlers.js';
import type { Ledger } from './ledger.js';
import type { CrashPoint } from './moves.js';
import { SESSION_MS, type Plan } from './plan.js';
import type { SharedStore } from './shared-store.js';
import { GROUP, TOPIC } from './topics.js';

const SILENT = { error: () => 0, warn: () => 0, log: () => 0, debug: () => 0 };

export interface MemberParts {
  readonly plan: Plan;
  readonly slot: number;
  readonly name: string;
  readonly brokers: readonly string[];
  readonly link: Link;
  readonly clock: Clock;
  readonly store: SharedStore;
  readonly ledger: Ledger;
  /** Asked at each point; true ends the process there. */
  readonly crashesAt: (member: Member, point: CrashPoint) => boolean;
}

/**
 * One process of the service: an engine with its own connections, clock and store client. Once it is
 * dead, none of these does anything any more, and what waits for one of them waits for ever.
 */
export class Member implements HandlerProcess {
  alive = true;
  leaving = false;
  readonly #engine: KafkaEventsEngine;
  readonly #closing: (() => unknown)[] = [];

  constructor(private readonly parts: MemberParts) {
    const { plan, slot, brokers } = parts;
    const settings = resolveOptions(
      {
        clientId: clientIdOf(slot),
        brokers,
        connectionTimeoutMs: 1_000,
        requestTimeoutMs: 4_000,
        topics: 'unchecked',
        shutdownDrainMs: 3_000,
        consumer: {
          groupId: GROUP,
          sessionTimeoutMs: SESSION_MS,
          rebalanceTimeoutMs: 12_000,
          heartbeatIntervalMs: 2_000,
          maxWaitTimeMs: 500,
          commitIntervalMs: 300,
          maxSpan: plan.maxSpan,
          revokeDrainMs: 2_000,
        },
        outage: false,
        idempotency: { store: parts.store.client(this) },
        clock: this.#clock(),
      },
      {},
      (connection) => this.#driver(connection),
    );
    this.#engine = new KafkaEventsEngine(settings, SILENT);
  }

  get name(): string {
    return this.parts.name;
  }
  get link(): Link {
    return this.parts.link;
  }
  get state(): string {
    return JSON.stringify(this.#engine.health.check(), (_, value: unknown) =>
      typeof value === 'bigint' ? String(value) : value,
    );
  }

  start(): void {
    const { plan, ledger } = this.parts;
    const { bound } = new PlannedHandlers(plan, ledger, this);
    this.#engine.consumers.start(bound).catch((error: unknown) => {
      if (this.alive) ledger.violated(`${this.name} does not boot: ${String(error)}`);
    });
  }

  /** What an operator does who has looked at its dead letters. */
  releaseKeys(): void {
    const { consumers, control } = this.#engine;
    for (const { heldKeys } of consumers.consumers) {
      for (const held of heldKeys) {
        const { handlerId, partition, offset } = held;
        this.parts.ledger.released(handlerId, { partition, offset: Number(offset) });
      }
      // Two records of one key may hold it: both go at once.
      const keys = new Map(heldKeys.map(({ key }) => [key.toString(), key]));
      for (const key of keys.values()) control.releaseKey({ topic: TOPIC, key });
    }
  }

  /** Drains, commits, leaves, and is gone. */
  async leave(): Promise<void> {
    this.leaving = true;
    await this.#engine.consumers.stop();
    await this.#engine.close();
    this.kill();
  }

  /** As `kill -9`: nothing is finished, given back or said. */
  kill(): void {
    if (!this.alive) return;
    this.alive = false;
    this.parts.ledger.tell(`${this.name} dies`);
    this.parts.ledger.died(this.name);
    this.link.die();
    for (const close of this.#closing) close();
    // Else it would try for ever to boot.
    void this.#engine.consumers.stop();
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.parts.clock.setTimeout(() => {
        if (this.alive) resolve();
      }, ms);
    });
  }

  /** The process may end here; then the promise is never settled. */
  reach(point: CrashPoint): Promise<void> {
    if (!this.alive || this.parts.crashesAt(this, point)) return new Promise(() => undefined);
    return Promise.resolve();
  }

  /** A clock whose timers die with the process. */
  #clock(): Clock {
    const { clock } = this.parts;
    return {
      now: () => clock.now(),
      wallTime: () => clock.wallTime(),
      setTimeout: (fn, ms): TimerHandle =>
        clock.setTimeout(() => {
          if (this.alive) fn();
        }, ms),
      clearTimeout: (timer) => {
        clock.clearTimeout(timer);
      },
    };
  }

  /** The real driver; what it opens ends with the process, where its sockets do not matter any more. */
  #driver(connection: ConnectionSettings): KafkaDriver {
    const driver = kafkaJsDriver(connection, () => undefined);
    return {
      name: driver.name,
      consumer: (config) => {
        const consumer = this.#own(driver).consumer(config);
        this.#closing.push(() => consumer.stop(0));
        return consumer;
      },
      producer: () => {
        const producer = this.#own(driver).producer();
        this.#closing.push(() => producer.close());
        return producer;
      },
      admin: () => this.#own(driver).admin(),
    };
  }

  #own(driver: KafkaDriver): KafkaDriver {
    if (!this.alive) throw new Error('the process is gone');
    return driver;
  }
}
