import { expect, it } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import {
  EventContext,
  EventHandler,
  KafkaEventsHealth,
  KafkaEventsModule,
  MemoryIdempotencyStore,
  type IdempotencyStore,
} from '../../lib/index.js';
import type { OutRecord } from '../../lib/kafka/records.js';
import { committedToTheEnd, createEventTopic, eventRecord } from '../support/event-topic.js';
import { eventually } from '../support/eventually.js';
import { driverFor } from '../support/kafka-driver.js';
import { onCleanup } from '../support/cleanup.js';
import { bootApp, quickOptions } from '../support/nest-app.js';
import { describeEachKafka } from '../support/each-kafka.js';
import { seededRandom } from '../support/seeded-random.js';
import { OrderCreated } from '../support/shop-events.js';
import { uniqueName } from '../support/unique-topic.js';

const PARTITIONS = 6;
const SEED = 9_241_123;
const KEYS = 40;
const BATCH = 60;
/** Events waiting at least, while members come and go. */
const QUEUED = 300;

describeEachKafka('members that join and leave under load', (brokers) => {
  it('lose nothing and run nothing again that completed, when they share a store', async () => {
    const shared = new MemoryIdempotencyStore();
    const { load, join, journal } = await group(() => shared);
    load.start();
    const first = await join('first');
    await journal.grows(100);
    const second = await join('second');
    await journal.grows(100, 'second');
    await first.leave();
    await journal.grows(100, 'second');
    await join('third');
    await journal.grows(100, 'third');
    await second.leave();
    await journal.grows(100, 'third');
    await load.end();

    expect(journal.completed).toEqual(new Set(load.ids));
    expect(journal.ranAfterComplete).toEqual([]);
    expect(journal.runs.map(({ id }) => id).sort()).toEqual([...load.ids].sort());
  });

  it('lose nothing with stores of their own, and the one that stays repeats nothing', async () => {
    const { load, join, journal } = await group(() => new MemoryIdempotencyStore());
    load.start();
    await join('stays');
    await journal.grows(100);
    for (const name of ['guest one', 'guest two']) {
      const guest = await join(name);
      await journal.grows(100, name);
      await guest.leave();
      await journal.grows(100, 'stays');
    }
    await load.end();

    expect(journal.completed).toEqual(new Set(load.ids));
    // What a guest did, and could not commit past a gap, runs again; nothing of one's own does.
    expect(journal.ranAfterOwnComplete).toEqual([]);
  });

  async function group(storeOfMember: () => IdempotencyStore) {
    const topic = await createEventTopic(brokers, PARTITIONS);
    const groupId = uniqueName('group');
    const journal = new MemberJournal();
    const random = seededRandom(SEED);
    const load = new Load(brokers, groupId, topic, () => journal.completed.size);

    async function join(member: string) {
      @Injectable()
      class Orders {
        // The same handler in every member: they share its claims.
        @EventHandler(OrderCreated, { id: 'orders' })
        async handle(@Payload() _order: OrderCreated, @Ctx() event: EventContext): Promise<void> {
          journal.ran(event.eventId, member);
          await sleep(random() * 20);
        }
      }
      const options = quickOptions(brokers, groupId, topic, {
        idempotency: { store: storeOfMember() },
        observers: [
          {
            onHandled: ({ eventId }) => {
              journal.complete(eventId, member);
            },
          },
        ],
      });
      const app = await bootApp({
        imports: [KafkaEventsModule.forRoot(options)],
        providers: [Orders],
      });
      const health = app.get(KafkaEventsHealth);
      await eventually(() => health.check().groups[0]?.partitions.length !== 0, {
        message: `${member} to own partitions`,
      });
      return { leave: () => app.close() };
    }
    return { load, join, journal };
  }
});

interface Run {
  readonly id: string;
  readonly member: string;
}

/** Who ran what, and what had completed when. */
class MemberJournal {
  readonly runs: Run[] = [];
  readonly completed = new Set<string>();
  readonly ranAfterComplete: Run[] = [];
  readonly ranAfterOwnComplete: Run[] = [];
  readonly #completedBy = new Set<string>();

  ran(id: string, member: string): void {
    this.runs.push({ id, member });
    if (this.completed.has(id)) this.ranAfterComplete.push({ id, member });
    if (this.#completedBy.has(`${id} ${member}`)) this.ranAfterOwnComplete.push({ id, member });
  }

  complete(id: string, member: string): void {
    this.completed.add(id);
    this.#completedBy.add(`${id} ${member}`);
  }

  /** Waits until so many more runs have begun, of that member or of any. */
  async grows(by: number, member?: string): Promise<void> {
    const count = (): number =>
      this.runs.filter((run) => member === undefined || run.member === member).length;
    const before = count();
    await eventually(() => count() >= before + by, {
      timeoutMs: 20_000,
      message: `${by} more runs of ${member ?? 'anyone'}`,
    });
  }
}

/** Events that keep coming, so that there is always a queue of them. */
class Load {
  readonly ids: string[] = [];
  #going = true;
  #writing: Promise<void> = Promise.resolve();

  constructor(
    private readonly brokers: string[],
    private readonly groupId: string,
    private readonly topic: string,
    private readonly completed: () => number,
  ) {}

  start(): void {
    this.#writing = this.#write();
    onCleanup(() => this.#stop());
  }

  /** Writes no more, and waits until everything is committed. */
  async end(): Promise<void> {
    await this.#stop();
    await committedToTheEnd(this.brokers, this.groupId, this.topic);
  }

  #stop(): Promise<void> {
    this.#going = false;
    return this.#writing;
  }

  async #write(): Promise<void> {
    const producer = driverFor(this.brokers).producer();
    while (this.#going) {
      await producer.send(
        this.topic,
        Array.from({ length: BATCH }, () => this.#next()),
      );
      await eventually(() => !this.#going || this.ids.length - this.completed() < QUEUED, {
        timeoutMs: 30_000,
        message: 'the queue to shrink',
      });
    }
    await producer.close();
  }

  #next(): OutRecord {
    const number = this.ids.length;
    const id = `event-${number}`;
    this.ids.push(id);
    const key = `order-${number % KEYS}`;
    return eventRecord({ id, type: 'order.created.v1', key, payload: { orderId: key } });
  }
}
