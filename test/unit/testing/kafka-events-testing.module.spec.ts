import { connect } from 'node:net';
import { once } from 'node:events';
import { describe, expect, it } from '@jest/globals';
import { Injectable, Module, type BeforeApplicationShutdown } from '@nestjs/common';
import { Test } from '@nestjs/testing';

import { EventPublisher, KafkaEventsModule, type KafkaEventsOptions } from '../../../lib/index.js';
import { EventSpy } from '../../../lib/testing/event-spy.js';
import { KafkaEventsTestingModule } from '../../../lib/testing/kafka-events-testing.module.js';
import { TestKafka } from '../../../lib/testing/test-kafka.js';
import { onCleanup } from '../../support/cleanup.js';
import { OrderCreated } from '../../support/shop-events.js';
import { bootTesting, spiesOnAShop, SpiedOrders } from '../../support/spied-shop.js';

/** An application as it is in production: its brokers exist nowhere, its topics are made by others. */
function shopModule(options: KafkaEventsOptions = {}) {
  @Module({
    imports: [
      KafkaEventsModule.forRoot({
        clientId: 'shop',
        brokers: ['production.invalid:9092'],
        consumer: { groupId: 'shop' },
        retry: { attempts: 2, initialDelayMs: 60_000 },
        ...options,
      }),
    ],
    providers: [SpiedOrders],
  })
  class ShopModule {}
  return ShopModule;
}

describe('KafkaEventsTestingModule.forRoot', () => {
  it('tells what became of every event', () => spiesOnAShop({}));

  it('gives every application a broker of its own', async () => {
    const boot = () =>
      bootTesting({ imports: [KafkaEventsTestingModule.forRoot()], providers: [SpiedOrders] });
    const [one, other] = await Promise.all([boot(), boot()]);

    await one.get(EventPublisher).publish(OrderCreated, { orderId: 'o-1' });
    await one.get(EventSpy).handled(OrderCreated);

    expect(one.get(TestKafka).brokers).not.toEqual(other.get(TestKafka).brokers);
    expect(one.get(TestKafka).embedded?.endOffsets('stock').length).toBeGreaterThan(0);
    await expect(other.get(EventSpy).publishedEvents(OrderCreated)).resolves.toEqual([]);
  });

  it('shares a broker that the test has started, as over a restart', async () => {
    const kafka = await TestKafka.start();
    onCleanup(() => kafka.stop());
    const boot = () =>
      bootTesting({
        imports: [KafkaEventsTestingModule.forRoot({ kafka })],
        providers: [SpiedOrders],
      });
    const before = await boot();
    await before.get(EventPublisher).publish(OrderCreated, { orderId: 'o-1' });
    await before.get(EventSpy).handled(OrderCreated);
    await before.close();

    const after = await boot();
    await after.get(EventPublisher).publish(OrderCreated, { orderId: 'o-2' });
    await after.get(EventSpy).handled(OrderCreated, ({ orderId }) => orderId === 'o-2');

    const handled = await after.get(EventSpy).handledEvents(OrderCreated);
    expect(handled.map(({ payload }) => payload.orderId)).toEqual(['o-2']);
  });

  it('lets the broker misbehave', async () => {
    const app = await bootTesting({ imports: [KafkaEventsTestingModule.forRoot()] });
    const fault = app
      .get(TestKafka)
      .embedded?.on('Produce', (_, control) => control.closeConnection());

    await app.get(EventPublisher).publish(OrderCreated, { orderId: 'o-1' });

    expect(fault?.hits).toBe(1);
    await expect(app.get(EventSpy).published(OrderCreated)).resolves.toBeDefined();
  });

  it('is visible to importers alone with isGlobal: false, as the module is', async () => {
    const imports = [KafkaEventsTestingModule.forRoot({ isGlobal: false, consume: false })];
    @Module({
      imports: [],
      providers: [{ provide: 'deep', useFactory: String, inject: [EventPublisher] }],
    })
    class DeepModule {}

    await expect(
      Test.createTestingModule({ imports: [...imports, DeepModule] }).compile(),
    ).rejects.toThrow('EventPublisher');
  });
});

describe('KafkaEventsTestingModule.forExisting', () => {
  it('takes the application off its brokers and watches it, its other options kept', async () => {
    const observed: string[] = [];
    const onHandled = ({ eventId }: { readonly eventId: string }) => observed.push(eventId);
    const app = await bootTesting({
      imports: [shopModule({ observers: [{ onHandled }] }), KafkaEventsTestingModule.forExisting()],
    });
    const spy = app.get(EventSpy);

    const { eventId } = await app.get(EventPublisher).publish(OrderCreated, { orderId: 'o-1' });
    await expect(spy.handled(OrderCreated)).resolves.toMatchObject({ groupId: 'shop', eventId });
    expect(observed).toEqual([eventId]);

    // Two attempts as the application has it, at the pace of tests.
    await app.get(EventPublisher).publish(OrderCreated, { orderId: 'flaky-1' });
    await expect(spy.deadLettered(OrderCreated)).resolves.toMatchObject({
      reason: 'retries-exhausted',
    });
  });

  it('takes options of the test before those of the application', async () => {
    const app = await bootTesting({
      imports: [KafkaEventsTestingModule.forExisting({ retry: { attempts: 3 } }), shopModule()],
    });
    await app.get(EventPublisher).publish(OrderCreated, { orderId: 'flaky-1' });
    await expect(app.get(EventSpy).handled(OrderCreated)).resolves.toMatchObject({ attempt: 3 });
  });

  it('refuses an application that has no events', async () => {
    const app = await Test.createTestingModule({
      imports: [KafkaEventsTestingModule.forExisting()],
    }).compile();
    onCleanup(() => app.close());

    await expect(app.init()).rejects.toThrow(
      'KafkaEventsTestingModule.forExisting: finds no KafkaEventsModule in this application',
    );
  });

  it('says that forRoot is one too many there', async () => {
    const twice = Test.createTestingModule({
      imports: [shopModule(), KafkaEventsTestingModule.forRoot()],
    });
    await expect(twice.compile()).rejects.toThrow('is configured 2 times in this application');
  });
});

describe('the broker of an application under test', () => {
  it.each([
    ['forRoot', [KafkaEventsTestingModule.forRoot({ consume: false })]],
    ['forExisting', [shopModule(), KafkaEventsTestingModule.forExisting({ consume: false })]],
  ])('is stopped when everything else has been shut down, with %s', async (_how, imports) => {
    const published: Promise<unknown>[] = [];
    @Injectable()
    class LastWords implements BeforeApplicationShutdown {
      constructor(private readonly events: EventPublisher) {}

      beforeApplicationShutdown(): void {
        published.push(this.events.publish(OrderCreated, { orderId: 'the last' }));
      }
    }
    const testing = Test.createTestingModule({ imports, providers: [LastWords] });
    const app = await testing.compile();
    await app.init();
    const { embedded, brokers } = app.get(TestKafka);
    embedded?.on('Produce', (_, control) => control.delay(100));
    await app.close();

    // Acknowledged while the module was closing, when its publisher waits for what is under way.
    await expect(Promise.all(published)).resolves.toMatchObject([{ topic: 'orders' }]);
    await expect(connectTo(brokers[0])).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });
});

describe('overrideModule, which Nest has for this', () => {
  it('replaces a module that the application imports by a name of its own, options and all', async () => {
    const events = KafkaEventsModule.forRoot({ brokers: ['production.invalid:9092'] });
    @Module({ imports: [events], providers: [SpiedOrders] })
    class ShopModule {}
    const app = await Test.createTestingModule({ imports: [ShopModule] })
      .overrideModule(events)
      .useModule(KafkaEventsTestingModule.forRoot())
      .compile();
    onCleanup(() => app.close());
    await app.init();

    await app.get(EventPublisher).publish(OrderCreated, { orderId: 'o-1' });
    await expect(app.get(EventSpy).handled(OrderCreated)).resolves.toBeDefined();
  });
});

async function connectTo(broker = ''): Promise<void> {
  const [host, port] = broker.split(':');
  const socket = connect(Number(port), host);
  onCleanup(() => socket.destroy());
  await once(socket, 'connect');
}
