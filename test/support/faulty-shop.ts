import { expect } from '@jest/globals';
import { Injectable, type INestApplicationContext } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import {
  event,
  EventContext,
  EventHandler,
  EventPublisher,
  KafkaEventsHealth,
  KafkaEventsModule,
  MemoryIdempotencyStore,
  type HealthReport,
  type KafkaEventsModuleOptions,
  type KafkaEventsObserver,
  type OutgoingEvent,
} from '../../lib/index.js';
import { partitionOfKey } from '../../lib/kafka/partitioner.js';
import type { EmbeddedKafka } from '../../lib/testing/embedded-kafka/embedded-kafka.js';
import type { EmbeddedKafkaOptions } from '../../lib/testing/embedded-kafka/embedded-kafka-options.js';
import type { RequestOf } from '../../lib/testing/embedded-kafka/requests/request-table.js';
import { startEmbeddedKafka } from './embedded-kafka.js';
import { eventually } from './eventually.js';
import { bootApp, quickOptions } from './nest-app.js';
import { OrderCreated } from './shop-events.js';
import { withAdmin } from './unique-topic.js';

export const TOPIC = 'orders';
export const GROUP = 'shop';
export const SESSION_MS = 1500;
/** Of each partition, so that it has more than one lane. */
const KEYS = 2;

export interface FaultyShopOptions extends Pick<EmbeddedKafkaOptions, 'brokers' | 'clock'> {
  /** @default 3 */
  readonly partitions?: number;
}

/** A handler that was stopped in the middle. */
export interface HeldOrder {
  /** Resolves when the handler is running. */
  readonly running: Promise<void>;
  finish(): void;
}

/**
 * Applications of one group on an embedded Kafka that can be told to fail, and a watch over what
 * they promise: every order runs once, those of a key in order, and no commit passes an order that
 * has not ended, or goes back.
 *
 * An order is named for its partition and its number in it: `p0-3` is the fourth of partition 0.
 */
export class FaultyShop {
  /** What handlers did, by key: `+p0-3` when one began, `-p0-3` when it was done. */
  readonly journal = new Map<string, string[]>();
  /** Commits that should never have been sent. */
  readonly wrongCommits: string[] = [];
  readonly #written = new Map<string, string[]>();
  readonly #ended = new Set<string>();
  readonly #held = new Map<string, { readonly begin: () => void; readonly until: Promise<void> }>();
  /** How many orders each partition has been given. */
  readonly #numbers: number[];
  readonly #store = new MemoryIdempotencyStore();
  #publishing: Promise<INestApplicationContext> | null = null;

  private constructor(
    readonly kafka: EmbeddedKafka,
    private partitions: number,
  ) {
    this.#numbers = Array.from({ length: partitions }, () => 0);
    kafka.on(
      'OffsetCommit',
      (request, control) => {
        this.#judge(request);
        return control.pass();
      },
      { times: Infinity },
    );
  }

  static async open({ partitions = 3, ...options }: FaultyShopOptions = {}): Promise<FaultyShop> {
    const topics = [
      { topic: TOPIC, partitions },
      { topic: `${TOPIC}.dlq`, configs: { 'max.message.bytes': '2000000' } },
    ];
    return new FaultyShop(await startEmbeddedKafka({ ...options, topics }), partitions);
  }

  /** Boots a member of the group; all of them share their claims. */
  async join(options: KafkaEventsModuleOptions = {}): Promise<ShopMember> {
    const { journal } = this;
    const held = this.#held;

    @Injectable()
    class Orders {
      @EventHandler(OrderCreated, { id: 'orders' })
      async handle(@Payload() order: OrderCreated, @Ctx() { eventId }: EventContext) {
        const steps = journal.get(order.orderId) ?? [];
        journal.set(order.orderId, steps);
        steps.push(`+${eventId}`);
        held.get(eventId)?.begin();
        await held.get(eventId)?.until;
        steps.push(`-${eventId}`);
      }
    }
    const app = await this.boot(options, [Orders]);
    return new ShopMember(app);
  }

  /** Boots an application of the shop. */
  boot(
    { consumer, observers = [], ...options }: KafkaEventsModuleOptions = {},
    providers: (new () => object)[] = [],
  ): Promise<INestApplicationContext> {
    const imports = [
      KafkaEventsModule.forRoot(
        quickOptions(this.kafka.brokers, GROUP, TOPIC, {
          requestTimeoutMs: 500,
          idempotency: { store: this.#store },
          topicName: (topic) => topic,
          ...options,
          consumer: { ...QUICK, ...consumer },
          observers: [this.#observer(), ...observers],
        }),
      ),
    ];
    return bootApp({ imports, providers });
  }

  /** Publishes so many more orders of a partition, and answers their names. */
  async order(partition: number, count: number): Promise<string[]> {
    const orders = this.orders(partition, count);
    this.#publishing ??= this.boot({ consume: false });
    const publisher = (await this.#publishing).get(EventPublisher);
    return (await publisher.publishAll(orders)).map(({ eventId }) => eventId);
  }

  /** Orders for `publishAll`, which are expected to be handled. */
  orders(partition: number, count: number): OutgoingEvent[] {
    return Array.from({ length: count }, () => {
      const number = this.#numbers[partition] ?? 0;
      this.#numbers[partition] = number + 1;
      const eventId = `p${String(partition)}-${String(number)}`;
      const orderId = this.key(partition, number % KEYS);
      this.#written.set(orderId, [...(this.#written.get(orderId) ?? []), eventId]);
      return event(OrderCreated, { orderId }, { eventId });
    });
  }

  /** Gives the topic more partitions; no member is told. */
  async grow(partitions: number): Promise<void> {
    const topicPartitions = [{ topic: TOPIC, count: partitions }];
    await withAdmin(this.kafka.brokers, (admin) => admin.createPartitions({ topicPartitions }));
    this.#numbers.push(...Array.from({ length: partitions - this.partitions }, () => 0));
    this.partitions = partitions;
    // The publisher knows the topic as it was.
    this.#publishing = null;
  }

  /** The n-th key that belongs to a partition. */
  private key(partition: number, n: number): string {
    for (let i = 0, found = 0; ; i++) {
      // Of another layout of the topic, other keys: nothing orders what one key had before and after.
      const key = `order-${String(i)}-of-${String(this.partitions)}`;
      if (partitionOfKey(Buffer.from(key), this.partitions) !== partition) continue;
      if (found++ === n) return key;
    }
  }

  /** Stops the handler of that order in its middle. */
  hold(eventId: string): HeldOrder {
    let begin = (): void => undefined;
    let finish = (): void => undefined;
    const running = new Promise<void>((resolve) => (begin = resolve));
    const until = new Promise<void>((resolve) => (finish = resolve));
    this.#held.set(eventId, { begin, until });
    return { running, finish };
  }

  /** The offsets that the group has committed, by partition. */
  get committed(): number[] {
    const offsets = this.kafka.group(GROUP)?.offsets.get(TOPIC);
    return this.#numbers.map((_, partition) => Number(offsets?.get(partition)?.offset ?? 0));
  }

  get ends(): number[] {
    return this.kafka.endOffsets(TOPIC).map(Number);
  }

  /** The broker that was last asked for the partition's records. */
  leaderOf(partition: number): number {
    const asked = this.kafka
      .requestsOf('Fetch')
      .filter(({ request }) =>
        request.topics.some(({ partitions }) =>
          partitions.some((each) => each.partition === partition),
        ),
      );
    return asked.at(-1)?.nodeId ?? NaN;
  }

  /** The orders that handlers have begun, as often as they did, sorted. */
  get runs(): string[] {
    const steps = [...this.journal.values()].flat();
    return steps.flatMap((step) => (step.startsWith('+') ? [step.slice(1)] : [])).sort();
  }

  /** Waits until the handlers of all these orders are done. */
  async done(eventIds: readonly string[]): Promise<void> {
    await eventually(
      () => {
        const steps = new Set([...this.journal.values()].flat());
        expect(eventIds.filter((id) => !steps.has(`-${id}`))).toEqual([]);
        return true;
      },
      { message: 'orders' },
    );
  }

  /** Waits until the group has committed these offsets, by partition. */
  async commits(offsets: readonly number[]): Promise<void> {
    await eventually(
      () => {
        expect(this.committed).toEqual(offsets);
        return true;
      },
      { timeoutMs: 20_000, message: 'commits' },
    );
  }

  /** Waits until all that the topic holds is committed; then each order has run once, in its turn. */
  async keepsItsPromise(): Promise<void> {
    await this.commits(this.ends);
    const inTurn = [...this.#written].map(([key, ids]) => [
      key,
      ids.flatMap((id) => [`+${id}`, `-${id}`]),
    ]);
    expect(Object.fromEntries(this.journal)).toEqual(Object.fromEntries(inTurn));
    expect(this.wrongCommits).toEqual([]);
  }

  #observer(): KafkaEventsObserver {
    const end = ({ partition, offset }: { partition: number; offset: bigint }): void => {
      this.#ended.add(`${String(partition)}@${String(offset)}`);
    };
    return { onHandled: end, onDuplicate: end, onDeadLettered: end };
  }

  /** What the broker is about to accept; a commit of another generation it refuses by itself. */
  #judge({ generationId, topics }: RequestOf<'OffsetCommit'>): void {
    if (generationId !== this.kafka.group(GROUP)?.generationId) return;
    for (const { partition, offset } of topics.flatMap(({ partitions }) => partitions)) {
      const commit = `${String(partition)}@${String(offset)}`;
      const before = this.committed[partition] ?? 0;
      if (offset < before) this.wrongCommits.push(`${commit} goes back from ${String(before)}`);
      for (let at = BigInt(before); at < offset; at++) {
        const name = `${String(partition)}@${String(at)}`;
        if (!this.#ended.has(name)) this.wrongCommits.push(`${commit} passes ${name}`);
      }
    }
  }
}

const QUICK = {
  sessionTimeoutMs: SESSION_MS,
  heartbeatIntervalMs: 50,
  maxWaitTimeMs: 20,
  commitIntervalMs: 10,
  revokeDrainMs: 300,
};

/** An application of the group. */
export class ShopMember {
  constructor(private readonly app: INestApplicationContext) {}

  get publisher(): EventPublisher {
    return this.app.get(EventPublisher);
  }
  get health(): HealthReport {
    return this.app.get(KafkaEventsHealth).check();
  }
  get owned(): number[] {
    return (this.health.groups[0]?.partitions ?? []).map(({ partition }) => partition).sort();
  }

  async owns(count: number): Promise<void> {
    await eventually(() => this.owned.length === count && this.health.ready, {
      message: `owning ${String(count)} partitions`,
    });
  }

  leave(): Promise<void> {
    return this.app.close();
  }
}
