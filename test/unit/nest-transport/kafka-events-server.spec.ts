import { describe, expect, it } from '@jest/globals';
import {
  Controller,
  Inject,
  Injectable,
  Module,
  Scope,
  UseFilters,
  type DynamicModule,
  type Type,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Ctx, EventPattern, KafkaContext, MessagePattern, Payload } from '@nestjs/microservices';
import { EMPTY, type Observable } from 'rxjs';

import {
  EventHandler,
  EventPublisher,
  KafkaEventsContext,
  KafkaEventsHealth,
  KafkaEventsModule,
  KafkaEventsServer,
  RetryDeadLetterFilter,
  UndecodableRecordError,
} from '../../../lib/index.js';
import { KafkaEventsTestingModule } from '../../../lib/testing/kafka-events-testing.module.js';
import { TestKafka } from '../../../lib/testing/test-kafka.js';
import { onCleanup } from '../../support/cleanup.js';
import { connectedProducer, kafkaJs } from '../../support/embedded-kafka.js';
import { eventually } from '../../support/eventually.js';
import { bootPatternApp, committedOffset, deadLettersOf } from '../../support/pattern-shop.js';
import { OrderCreated } from '../../support/shop-events.js';
import { rejectionOf } from '../../support/thrown-by.js';

describe('KafkaEventsServer', () => {
  it.each(['hybrid', 'microservice'] as const)('consumes in a %s application', async (as) => {
    const seen: unknown[] = [];
    @Controller()
    class Orders {
      @EventPattern('orders')
      created(@Payload() order: unknown): void {
        seen.push(order);
      }
    }
    const { send } = await bootPatternApp({ controllers: [Orders] }, { as, createPartitions: 1 });

    await send('orders', { value: '{"orderId":"o-1"}' }, { value: 'text' }, { value: null });

    await eventually(() => seen.length === 3);
    // Nest's own reading: of a record without a value the whole message is the payload.
    expect(seen).toEqual([{ orderId: 'o-1' }, 'text', expect.objectContaining({ value: null })]);
  });

  it('shows a handler what Nest’s transport shows, and the event beside it', async () => {
    const contexts: KafkaEventsContext[] = [];
    @Controller()
    class Orders {
      @EventPattern('orders')
      created(@Ctx() context: KafkaEventsContext): void {
        contexts.push(context);
      }
    }
    const { send } = await bootPatternApp({ controllers: [Orders] });

    const headers = { 'event-id': 'e-1', 'correlation-id': 'c-1' };
    await send('orders', { key: 'o-1', value: '{"n":1}', headers });

    await eventually(() => contexts.length === 1);
    const [context] = contexts;
    expect(context).toBeInstanceOf(KafkaContext);
    expect(context?.getTopic()).toBe('orders');
    expect(context?.getPartition()).toBe(context?.event.partition);
    expect(context?.getMessage()).toMatchObject({
      key: 'o-1',
      value: { n: 1 },
      offset: '0',
      headers,
    });
    expect(context?.event).toMatchObject({ eventId: 'e-1', correlationId: 'c-1', attempt: 1 });
    await expect(context?.getHeartbeat()()).resolves.toBeUndefined();
    // As a logger does.
    expect(JSON.stringify(context)).toContain('"key":"o-1"');
    expect(() => context?.getConsumer().pause([])).toThrow(/commits offsets itself/);
    expect(() => context?.getProducer().send({ topic: 't', messages: [] })).toThrow(
      /EventPublisher/,
    );
  });

  it('gives each handler of a pattern an outcome of its own, and moves the offset after all of them', async () => {
    const runs = { steady: 0, failing: 0 };
    let mend = (): void => undefined;
    const mended = new Promise<void>((resolve) => (mend = resolve));
    @Controller()
    class Steady {
      @EventPattern('orders')
      created(_payload: unknown): void {
        runs.steady++;
      }
    }
    @Controller()
    class Failing {
      @EventPattern('orders')
      async created(_payload: unknown): Promise<void> {
        if (++runs.failing === 1) throw new Error('the database is away');
        await mended;
      }
    }
    const { send, kafka } = await bootPatternApp({ controllers: [Steady, Failing] });
    await send('orders', { value: '{}' });

    await eventually(() => runs.failing === 2);
    expect(await committedOffset(kafka, 'orders')).toBe(-1n);
    mend();

    await eventually(async () => (await committedOffset(kafka, 'orders')) === 1n);
    expect(runs).toEqual({ steady: 1, failing: 2 });
  });

  it('keeps the order of a partition, whatever the keys', async () => {
    const seen: string[] = [];
    @Controller()
    class Orders {
      @EventPattern('orders')
      async created(@Payload() value: string): Promise<void> {
        if (value === 'a') await new Promise((resolve) => setTimeout(resolve, 20));
        seen.push(value);
      }
    }
    const { send } = await bootPatternApp({ controllers: [Orders] }, { createPartitions: 1 });

    await send('orders', { key: 'x', value: 'a' }, { key: 'y', value: 'b' }, { value: 'c' });

    await eventually(() => seen.length === 3);
    expect(seen).toEqual(['a', 'b', 'c']);
  });

  it('lets another key pass a slow one where the order is by key', async () => {
    const seen: string[] = [];
    let free = (): void => undefined;
    const freed = new Promise<void>((resolve) => (free = resolve));
    @Controller()
    class Orders {
      @EventPattern('orders')
      async created(@Payload() value: string): Promise<void> {
        if (value === 'a') await freed;
        seen.push(value);
      }
    }
    const { send } = await bootPatternApp(
      { controllers: [Orders] },
      { createPartitions: 1, nestTransport: { ordering: 'key' } },
    );

    await send('orders', { key: 'x', value: 'a' }, { key: 'y', value: 'b' });

    await eventually(() => seen.length === 1);
    free();
    await eventually(() => seen.length === 2);
    expect(seen).toEqual(['b', 'a']);
  });

  it('takes the options of a handler from the module, by its id', async () => {
    const ended: string[] = [];
    @Controller()
    class Orders {
      @EventPattern('orders')
      async created(@Ctx() { event }: KafkaEventsContext): Promise<void> {
        await new Promise<void>((resolve) => {
          event.signal.addEventListener('abort', () => {
            ended.push(String(event.signal.reason));
            resolve();
          });
        });
      }
    }
    const { send } = await bootPatternApp(
      { controllers: [Orders] },
      { handlers: { 'Orders.created': { timeoutMs: 30 } } },
    );

    await send('orders', { value: '{}' });

    await eventually(() => ended.length === 1);
    expect(ended[0]).toContain('Orders.created');
  });

  it('consumes beside @EventHandler methods as one member of their group', async () => {
    const byPattern: string[] = [];
    const byEvent: string[] = [];
    @Controller()
    class Patterns {
      @EventPattern('orders')
      all(@Ctx() { event }: KafkaEventsContext): void {
        byPattern.push(event.eventType);
      }
    }
    @Injectable()
    class Handlers {
      @EventHandler(OrderCreated, { ordering: 'partition' })
      created({ orderId }: OrderCreated): void {
        byEvent.push(orderId);
      }
    }
    const { app, send } = await bootPatternApp({ controllers: [Patterns], providers: [Handlers] });

    await app.get(EventPublisher).publish(OrderCreated, { orderId: 'o-1' });
    await send('orders', { value: 'anything' });

    await eventually(() => byPattern.length === 2);
    expect(byPattern.toSorted()).toEqual(['', 'order.created.v1']);
    await eventually(() => byEvent.length === 1);
    expect(app.get(KafkaEventsHealth).check().groups).toHaveLength(1);
  });

  it('begins when the application has booted and somebody listens, not before', async () => {
    const seen: unknown[] = [];
    @Controller()
    class Patterns {
      @EventPattern('orders')
      all(@Payload() value: unknown): void {
        seen.push(value);
      }
    }
    const kafka = await TestKafka.start();
    onCleanup(() => kafka.stop());
    @Module({
      imports: [KafkaEventsTestingModule.forRoot({ kafka })],
      controllers: [Patterns],
    })
    class Root {}
    const app = await NestFactory.create(Root, { logger: false, abortOnError: false });
    onCleanup(() => app.close());
    const server = app.get(KafkaEventsServer);
    const statuses: string[] = [];
    server.status.subscribe((status) => statuses.push(status));
    const microservice = app.connectMicroservice({ strategy: server });
    await app.init();
    expect(app.get(KafkaEventsHealth).check().groups).toEqual([]);

    await microservice.listen();
    const producer = await connectedProducer(kafkaJs([...kafka.brokers]));
    await producer.send({ topic: 'orders', messages: [{ value: 'v' }] });

    await eventually(() => seen.length === 1);
    await app.close();
    expect(statuses).toEqual(['connected', 'disconnected']);
  });

  it('joins its groups once, whoever starts it: the boot, and each that listens', async () => {
    @Controller()
    class Handlers {
      @EventHandler(OrderCreated)
      created(): void {
        return undefined;
      }
    }
    const kafka = await TestKafka.start();
    onCleanup(() => kafka.stop());
    @Module({ imports: [KafkaEventsTestingModule.forRoot({ kafka })], controllers: [Handlers] })
    class Root {}
    const app = await NestFactory.create(Root, { logger: false, abortOnError: false });
    onCleanup(() => app.close());
    app.connectMicroservice({ strategy: app.get(KafkaEventsServer) });
    await app.init();

    await app.startAllMicroservices();
    await app.startAllMicroservices();

    expect(await membersOf(kafka, kafka.nameOf('test'))).toBe(1);
  });

  it('tells each that listens how the start went, and that it was closed', async () => {
    const kafka = await TestKafka.start();
    const { brokers } = kafka;
    await kafka.stop();
    @Controller()
    class Patterns {
      @EventPattern('orders')
      all(_payload: unknown): void {
        return undefined;
      }
    }
    @Module({
      imports: [
        KafkaEventsModule.forRoot({
          clientId: 'c',
          brokers,
          consumer: { groupId: 'g' },
          idempotency: { store: 'memory' },
          onUnavailable: 'fail',
        }),
      ],
      controllers: [Patterns],
    })
    class Root {}
    const app = await NestFactory.create(Root, { logger: false, abortOnError: false });
    const server = app.get(KafkaEventsServer);
    app.connectMicroservice({ strategy: server });
    await app.init();
    const listening = () => new Promise((resolve) => void server.listen(resolve));

    expect(await listening()).toMatchObject({ name: 'DriverError' });
    expect(await listening()).toMatchObject({ name: 'DriverError' });

    await app.close();
    expect(await listening()).toMatchObject({ name: 'NotHereError' });
  });

  it('is not ready while nobody listens, and says what to call', async () => {
    const kafka = await TestKafka.start();
    onCleanup(() => kafka.stop());
    @Controller()
    class Patterns {
      @EventPattern('orders')
      all(_payload: unknown): void {
        return undefined;
      }
    }
    @Module({ imports: [KafkaEventsTestingModule.forRoot({ kafka })], controllers: [Patterns] })
    class Root {}
    const app = await NestFactory.create(Root, { logger: false, abortOnError: false });
    onCleanup(() => app.close());
    app.connectMicroservice({ strategy: app.get(KafkaEventsServer) });
    const health = app.get(KafkaEventsHealth);
    expect(health.check().problems).toEqual([
      'consumers not started: the application has not booted yet',
    ]);
    let isReady = false;
    const ready = health.whenReady().then(() => {
      isReady = true;
    });
    await app.init();

    expect(isReady).toBe(false);
    expect(health.check()).toMatchObject({
      status: 'down',
      ready: false,
      live: true,
      problems: [expect.stringContaining('startAllMicroservices()')],
    });

    await app.startAllMicroservices();
    expect(health.check()).toMatchObject({ status: 'up', ready: true, problems: [] });
    await ready;
  });

  it('waits for running handlers when the application closes, and commits what they did', async () => {
    let began = false;
    let ended = false;
    let free = (): void => undefined;
    const freed = new Promise<void>((resolve) => (free = resolve));
    @Controller()
    class Orders {
      @EventPattern('orders')
      async created(_payload: unknown): Promise<void> {
        began = true;
        await freed;
        ended = true;
      }
    }
    @Injectable()
    class Pool {
      openAtEnd: boolean | null = null;
      onModuleDestroy(): void {
        this.openAtEnd = ended;
      }
    }
    const { app, send, kafka } = await bootPatternApp({ controllers: [Orders], providers: [Pool] });
    await send('orders', { value: '{}' });
    await eventually(() => began);
    const pool = app.get(Pool);

    const closing = app.close();
    free();
    await closing;

    expect(pool.openAtEnd).toBe(true);
    expect(await committedOffset(kafka, 'orders')).toBe(1n);
  });

  it('calls handlers of request-scoped controllers, and those that answer with an Observable', async () => {
    const seen: string[] = [];
    @Injectable({ scope: Scope.REQUEST })
    class PerRequest {
      readonly id = Symbol('request');
    }
    @Controller()
    class Scoped {
      constructor(@Inject(PerRequest) readonly scope: PerRequest) {}
      @EventPattern('orders')
      created(_payload: unknown): Observable<never> {
        seen.push(typeof this.scope.id);
        return EMPTY;
      }
    }
    const { send, kafka } = await bootPatternApp({
      controllers: [Scoped],
      providers: [PerRequest],
    });

    await send('orders', { value: '{}' });

    await eventually(async () => (await committedOffset(kafka, 'orders')) === 1n);
    expect(seen).toEqual(['symbol']);
  });

  it('runs a handler inside the hooks of an instrumentation, and fails it where a hook fails', async () => {
    const seen: string[] = [];
    @Controller()
    class Orders {
      @EventPattern('orders')
      created(_payload: unknown): void {
        seen.push('handled');
      }
    }
    const { app, send } = await bootPatternApp({ controllers: [Orders] });
    const server = app.get(KafkaEventsServer);
    let failing = true;
    server.setOnProcessingStartHook((_transport, _context, done) => {
      seen.push('start');
      if (failing) {
        failing = false;
        throw new Error('the exporter is away');
      }
      void done();
    });
    server.setOnProcessingEndHook(() => seen.push('end'));

    await send('orders', { value: '{}' });

    await eventually(() => seen.includes('end'));
    expect(seen).toEqual(['start', 'start', 'handled', 'end']);
  });

  it('goes on where a start hook rejects, or an end hook throws', async () => {
    const seen: string[] = [];
    @Controller()
    class Orders {
      @EventPattern('orders')
      created(@Payload() value: string): void {
        seen.push(value);
      }
    }
    const { app, send, kafka } = await bootPatternApp(
      { controllers: [Orders] },
      { createPartitions: 1 },
    );
    const server = app.get(KafkaEventsServer);
    let failing = true;
    const hook = (_transport: unknown, _context: unknown, done: () => Promise<unknown>) => {
      const hooked = failing ? Promise.reject(new Error('the exporter is away')) : done();
      failing = false;
      return hooked;
    };
    // Nest declares it to answer nothing, and awaits what it answers.
    server.setOnProcessingStartHook(hook as (...args: Parameters<typeof hook>) => void);
    server.setOnProcessingEndHook(() => {
      throw new Error('the exporter is away');
    });

    await send('orders', { value: 'a' }, { value: 'b' });

    await eventually(async () => (await committedOffset(kafka, 'orders')) === 2n);
    expect(seen).toEqual(['a', 'b']);
  });

  it('gives up what its deserializer cannot read where RetryDeadLetterFilter is, and only there', async () => {
    @Controller()
    class Orders {
      @UseFilters(RetryDeadLetterFilter)
      @EventPattern('filtered')
      filtered(_value: unknown): void {
        return undefined;
      }
      @EventPattern('plain')
      plain(_value: unknown): void {
        return undefined;
      }
    }
    let plainTries = 0;
    const deserializer = {
      deserialize: ({ topic }: { topic: string }) => {
        if (topic === 'plain') plainTries++;
        throw new Error('cannot be read');
      },
    };
    const { send, kafka } = await bootPatternApp(
      { controllers: [Orders] },
      { nestTransport: { deserializer }, createPartitions: 1, retry: { attempts: 2 } },
    );

    await send('plain', { value: 'v' });
    await send('filtered', { value: 'v' });

    const [letter] = await deadLettersOf(kafka, 'filtered');
    expect(letter).toMatchObject({ reason: 'retries-exhausted', attempts: 2 });
    await eventually(() => plainTries > 4);
    expect(await committedOffset(kafka, 'plain')).toBe(-1n);
  });

  it('dead-letters what its deserializer calls undecodable, and retries what else it throws', async () => {
    const seen: unknown[] = [];
    let away = true;
    @Controller()
    class Orders {
      @EventPattern('orders')
      created(@Payload() value: unknown): void {
        seen.push(value);
      }
    }
    const deserializer = {
      deserialize: ({ value }: { value: string }) => {
        if (value === 'bad') throw new UndecodableRecordError('no such schema');
        if (away) {
          away = false;
          return Promise.reject(new Error('the registry is away'));
        }
        return { pattern: 'orders', data: `decoded ${value}` };
      },
    };
    const { send, kafka } = await bootPatternApp(
      { controllers: [Orders] },
      { nestTransport: { deserializer }, createPartitions: 1 },
    );

    await send('orders', { value: 'bad' }, { value: 'good' });

    await eventually(() => seen.length === 1);
    expect(seen).toEqual(['decoded good']);
    const [letter] = await deadLettersOf(kafka, 'orders');
    expect(letter).toMatchObject({
      value: 'bad',
      reason: 'undecodable',
      handler: 'Orders.created',
    });
  });
});

describe('KafkaEventsServer refuses', () => {
  const booting = async (controller: Type, defer = false): Promise<Error> => {
    const kafka = await TestKafka.start();
    onCleanup(() => kafka.stop());
    @Module({ imports: [KafkaEventsTestingModule.forRoot({ kafka })], controllers: [controller] })
    class Root {}
    const app = await NestFactory.create(Root, { logger: false, abortOnError: false });
    onCleanup(() => app.close());
    return rejectionOf(async () => {
      const strategy = app.get(KafkaEventsServer);
      const microservice = app.connectMicroservice({ strategy }, { deferInitialization: defer });
      await app.init();
      await microservice.listen();
    });
  };

  it('@MessagePattern: there is no request-reply over topics', async () => {
    @Controller()
    class Rpc {
      @MessagePattern('price.of')
      price(): number {
        return 1;
      }
    }
    await expect(booting(Rpc)).resolves.toMatchObject({
      name: 'InvalidHandlerError',
      message: expect.stringContaining(
        '@MessagePattern(price.of): KafkaEventsServer offers no request-reply',
      ),
    });
  });

  it('patterns that are RegExps', async () => {
    @Controller()
    class Many {
      @EventPattern(/^orders\./)
      all(_payload: unknown): void {
        return undefined;
      }
    }
    await expect(booting(Many)).resolves.toMatchObject({
      name: 'InvalidHandlerError',
      message: expect.stringContaining('name the topics in a list'),
    });
  });

  it('handlers that are registered when the application has booted', async () => {
    @Controller()
    class Late {
      @EventPattern('orders')
      all(_payload: unknown): void {
        return undefined;
      }
    }
    await expect(booting(Late, true)).resolves.toMatchObject({
      name: 'InvalidHandlerError',
      message: expect.stringContaining('connect the microservice before'),
    });
  });

  it('to be connected twice: every record would be handled twice', async () => {
    @Controller()
    class Orders {
      @EventPattern('orders')
      all(_payload: unknown): void {
        return undefined;
      }
    }
    const kafka = await TestKafka.start();
    onCleanup(() => kafka.stop());
    @Module({ imports: [KafkaEventsTestingModule.forRoot({ kafka })], controllers: [Orders] })
    class Root {}
    const app = await NestFactory.create(Root, { logger: false, abortOnError: false });
    onCleanup(() => app.close());
    const strategy = app.get(KafkaEventsServer);
    app.connectMicroservice({ strategy });
    app.connectMicroservice({ strategy });

    await expect(rejectionOf(() => app.init())).resolves.toMatchObject({
      name: 'InvalidHandlerError',
      message: expect.stringContaining('Orders.all: is registered twice for "orders"'),
    });
  });

  it('a controller that two instances of a module have: one of them would never run', async () => {
    @Controller()
    class Orders {
      @EventPattern('orders')
      all(_payload: unknown): void {
        return undefined;
      }
    }
    @Module({})
    class Part {
      static named(name: string): DynamicModule {
        return {
          module: Part,
          controllers: [Orders],
          providers: [{ provide: 'NAME', useValue: name }],
        };
      }
    }
    const kafka = await TestKafka.start();
    onCleanup(() => kafka.stop());
    @Module({
      imports: [KafkaEventsTestingModule.forRoot({ kafka }), Part.named('one'), Part.named('two')],
    })
    class Root {}
    const app = await NestFactory.create(Root, { logger: false, abortOnError: false });
    onCleanup(() => app.close());
    app.connectMicroservice({ strategy: app.get(KafkaEventsServer) });

    await expect(rejectionOf(() => app.init())).resolves.toMatchObject({
      name: 'InvalidHandlerError',
      message: expect.stringContaining('Orders.all: Orders.all (Part) has 2 handlers of this id'),
    });
  });

  it('a topic that one pattern names twice', async () => {
    @Controller()
    class Orders {
      @EventPattern(['orders', 'orders'])
      all(_payload: unknown): void {
        return undefined;
      }
    }
    await expect(booting(Orders)).resolves.toMatchObject({
      name: 'InvalidHandlerError',
      message: expect.stringContaining('name the topic once'),
    });
  });

  it('an ordering that the other handlers of the topic do not share', async () => {
    @Controller()
    class Mixed {
      @EventPattern('orders')
      all(_payload: unknown): void {
        return undefined;
      }
      @EventHandler(OrderCreated)
      created(): void {
        return undefined;
      }
    }
    await expect(booting(Mixed)).resolves.toMatchObject({
      name: 'InvalidHandlerError',
      message: expect.stringContaining("'key' (Mixed.created) and 'partition' (Mixed.all)"),
    });
  });

  it('to be unwrapped: there is no kafkajs client in it', () => {
    const server = Object.create(KafkaEventsServer.prototype) as KafkaEventsServer;
    expect(() => server.unwrap()).toThrow(/inject EventPublisher/);
  });
});

/** The members of a group, as the broker counts them. */
async function membersOf(kafka: TestKafka, groupId: string): Promise<number | undefined> {
  const admin = kafkaJs([...kafka.brokers]).admin();
  await admin.connect();
  try {
    const { groups } = await admin.describeGroups([groupId]);
    return groups[0]?.members.length;
  } finally {
    await admin.disconnect();
  }
}
