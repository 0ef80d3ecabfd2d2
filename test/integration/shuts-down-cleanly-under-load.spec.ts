import { expect, it } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  Global,
  Injectable,
  Module,
  type DynamicModule,
  type ModuleMetadata,
  type OnModuleDestroy,
  type Type,
} from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import {
  EventContext,
  EventHandler,
  KafkaEventsModule,
  MemoryIdempotencyStore,
} from '../../lib/index.js';
import {
  committedOffsets,
  committedToTheEnd,
  createEventTopic,
  eventRecord,
} from '../support/event-topic.js';
import { eventually } from '../support/eventually.js';
import { driverFor, produce } from '../support/kafka-driver.js';
import { bootApp, quickOptions } from '../support/nest-app.js';
import { describeEachKafka } from '../support/each-kafka.js';
import { OrderCreated } from '../support/shop-events.js';
import { uniqueName } from '../support/unique-topic.js';

const PARTITIONS = 3;
const EVENTS = 240;

/** A pool as applications have them: closed by Nest, and of no use afterwards. */
@Injectable()
class Pool implements OnModuleDestroy {
  #closed = false;

  query(): void {
    if (this.#closed) throw new Error('the pool is closed');
  }

  onModuleDestroy(): void {
    this.#closed = true;
  }
}

@Module({ providers: [Pool], exports: [Pool] })
class PoolModule {}

@Global()
@Module({ providers: [Pool], exports: [Pool] })
class GlobalPoolModule {}

@Module({})
class FeatureModule {}

const POOLS: Readonly<Record<string, ModuleMetadata>> = {
  'a root provider': { providers: [Pool] },
  'an imported module': { imports: [PoolModule] },
  'a global module': { imports: [GlobalPoolModule] },
};

type Imports = NonNullable<ModuleMetadata['imports']>;

const PLACES: Readonly<Record<string, (events: DynamicModule, others: Imports) => Imports>> = {
  first: (events, others) => [events, ...others],
  last: (events, others) => [...others, events],
  'through a feature module': (events, others) => [
    ...others,
    { module: FeatureModule, imports: [events] },
  ],
};

const CASES = Object.keys(PLACES).flatMap((place) =>
  Object.keys(POOLS).map((pool) => ({ place, pool })),
);

describeEachKafka('shutdown under load', (brokers) => {
  it.each(CASES)('imported $place, with the pool in $pool', async ({ place, pool }) => {
    const topic = await createEventTopic(brokers, PARTITIONS);
    const groupId = uniqueName('group');
    await produce(driverFor(brokers), topic, Array.from({ length: EVENTS }, orderRecord));
    const journal = new ShutdownJournal();
    const Orders = ordersOf(journal);
    const store = new MemoryIdempotencyStore();
    const boot = () => {
      const events = KafkaEventsModule.forRoot(
        quickOptions(brokers, groupId, topic, { idempotency: { store } }),
      );
      const { imports = [], providers = [] } = POOLS[pool] ?? {};
      return bootApp({
        imports: PLACES[place]?.(events, imports) ?? [],
        providers: [...providers, Orders],
      });
    };

    const app = await boot();
    await eventually(() => journal.done.length >= 40);
    await app.close();
    expect(journal.done.length).toBeLessThan(EVENTS);
    expect(journal.running).toBe(0);
    expect(await committedOffsets(brokers, groupId, topic)).toEqual(journal.settledPrefixes());

    await boot();
    await committedToTheEnd(brokers, groupId, topic);
    expect(journal.refusals).toEqual([]);
    expect(journal.done).toHaveLength(EVENTS);
    expect(new Set(journal.done).size).toBe(EVENTS);
  });
});

/** Handlers that use their pool all the time they run. */
function ordersOf(journal: ShutdownJournal): Type {
  @Injectable()
  class Orders {
    constructor(private readonly pool: Pool) {}

    @EventHandler(OrderCreated, { id: 'orders', concurrency: 8 })
    async handle(@Payload() _order: OrderCreated, @Ctx() event: EventContext): Promise<void> {
      journal.running++;
      try {
        this.pool.query();
        await sleep(15);
        this.pool.query();
        journal.done.push(`${event.partition}@${event.offset}`);
      } catch (error) {
        journal.refusals.push(error);
        throw error;
      } finally {
        journal.running--;
      }
    }
  }
  return Orders;
}

class ShutdownJournal {
  running = 0;
  /** `partition@offset` of each handled record. */
  readonly done: string[] = [];
  readonly refusals: unknown[] = [];

  /** The offset of the first record of each partition that was not handled. */
  settledPrefixes(): number[] {
    const done = new Set(this.done);
    return Array.from({ length: PARTITIONS }, (_, partition) => {
      let offset = 0;
      while (done.has(`${partition}@${offset}`)) offset++;
      return offset;
    });
  }
}

function orderRecord(_: unknown, i: number) {
  const key = `order-${i % 30}`;
  const [type, partition] = ['order.created.v1', i % PARTITIONS];
  return eventRecord({ id: `event-${i}`, type, key, payload: { orderId: key }, partition });
}
