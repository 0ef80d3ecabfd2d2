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
import { committedToTheEnd, createEventTopic, eventRecord } from '../support/event-topic.js';
import { eventually } from '../support/eventually.js';
import { driverFor, produce } from '../support/kafka-driver.js';
import { bootApp, quickOptions } from '../support/nest-app.js';
import { describeRealKafka } from '../support/real-kafka.js';
import { OrderCreated } from '../support/shop-events.js';
import { uniqueName } from '../support/unique-topic.js';

const PARTITIONS = 6;
const KEYS = 40;
const BATCH = 200;

describeRealKafka('members that join and leave under load', (brokers) => {
  it('lose nothing and run nothing again that completed, when they share a store', async () => {
    const shared = new MemoryIdempotencyStore();
    const { load, join, journal } = await group(() => shared);
    await load.more();
    const first = await join('first');
    await journal.grows(100);
    const second = await join('second');
    await load.more();
    await journal.grows(100, 'second');
    await first.leave();
    await load.more();
    await journal.grows(100, 'second');
    await join('third');
    await load.more();
    await journal.grows(50, 'third');
    await second.leave();
    await load.more();
    await load.committed();

    expect(journal.completed).toEqual(new Set(load.ids));
    expect(journal.ranAfterComplete).toEqual([]);
    expect(journal.runs.map(({ id }) => id).sort()).toEqual([...load.ids].sort());
  });

  it('lose nothing with stores of their own, and the one that stays repeats nothing', async () => {
    const { load, join, journal } = await group(() => new MemoryIdempotencyStore());
    await load.more();
    await join('stays');
    await journal.grows(100);
    for (const name of ['guest one', 'guest two']) {
      const guest = await join(name);
      await load.more();
      await journal.grows(50, name);
      await guest.leave();
      await load.more();
      await journal.grows(50, 'stays');
    }
    await load.committed();

    expect(journal.completed).toEqual(new Set(load.ids));
    const ranHere = journal.runs.flatMap(({ id, member }) => (member === 'stays' ? [id] : []));
    expect(ranHere).toHaveLength(new Set(ranHere).size);
    expect(journal.ranAfterComplete.filter(({ member }) => member === 'stays')).toEqual([]);
  });

  async function group(storeOfMember: () => IdempotencyStore) {
    const topic = await createEventTopic(brokers, PARTITIONS);
    const groupId = uniqueName('group');
    const journal = new MemberJournal();
    const load = new Load(brokers, groupId, topic);

    async function join(member: string) {
      @Injectable()
      class Orders {
        // The same handler in every member: they share its claims.
        @EventHandler(OrderCreated, { id: 'orders' })
        async handle(@Payload() _order: OrderCreated, @Ctx() event: EventContext): Promise<void> {
          journal.ran(event.eventId, member);
          await sleep(10);
        }
      }
      const options = quickOptions(brokers, groupId, topic, {
        idempotency: { store: storeOfMember() },
        observers: [
          { onHandled: ({ eventId }) => journal.completed.add(eventId) },
          { onUnsharedStore: () => undefined },
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

  ran(id: string, member: string): void {
    this.runs.push({ id, member });
    if (this.completed.has(id)) this.ranAfterComplete.push({ id, member });
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

/** Events written in batches while the members come and go. */
class Load {
  readonly ids: string[] = [];

  constructor(
    private readonly brokers: string[],
    private readonly groupId: string,
    private readonly topic: string,
  ) {}

  async more(): Promise<void> {
    const records = Array.from({ length: BATCH }, (_, i) => {
      const id = `event-${this.ids.length}`;
      this.ids.push(id);
      const key = `order-${i % KEYS}`;
      return eventRecord({ id, type: 'order.created.v1', key, payload: { orderId: key } });
    });
    await produce(driverFor(this.brokers), this.topic, records);
  }

  committed(): Promise<void> {
    return committedToTheEnd(this.brokers, this.groupId, this.topic);
  }
}
