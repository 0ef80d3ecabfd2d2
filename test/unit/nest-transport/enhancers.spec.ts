import { describe, expect, it } from '@jest/globals';
import {
  Catch,
  Controller,
  Get,
  Injectable,
  Module,
  NotFoundException,
  UseFilters,
  UseGuards,
  UseInterceptors,
  type CallHandler,
  type ExceptionFilter,
  type ExecutionContext,
  type NestInterceptor,
} from '@nestjs/common';
import { APP_FILTER, APP_INTERCEPTOR, NestFactory } from '@nestjs/core';
import { ExecutionContextHost } from '@nestjs/core/internal';
import { Ctx, EventPattern, Payload } from '@nestjs/microservices';
import { WsException } from '@nestjs/websockets';
import { of, type Observable } from 'rxjs';

import {
  EventHandler,
  EventPublisher,
  IdempotencyInterceptor,
  KafkaEventsContext,
  KafkaEventsServer,
  MemoryIdempotencyStore,
  NonRetryableEventError,
  RetryDeadLetterFilter,
} from '../../../lib/index.js';
import { EventSpy } from '../../../lib/testing/event-spy.js';
import { KafkaEventsTestingModule } from '../../../lib/testing/kafka-events-testing.module.js';
import { TestKafka } from '../../../lib/testing/test-kafka.js';
import { onCleanup } from '../../support/cleanup.js';
import { connectedProducer, kafkaJs } from '../../support/embedded-kafka.js';
import { eventually } from '../../support/eventually.js';
import { bootPatternApp, committedOffset, deadLettersOf } from '../../support/pattern-shop.js';
import { OrderCreated } from '../../support/shop-events.js';

const event = (eventId: string, value = '{}') => ({ value, headers: { 'event-id': eventId } });

describe('IdempotencyInterceptor behind KafkaEventsServer', () => {
  it('runs a handler once for each event, and every handler by itself', async () => {
    const runs = { deduped: [] as string[], each: [] as string[] };
    @Controller()
    class Orders {
      @UseInterceptors(IdempotencyInterceptor)
      @EventPattern('orders')
      deduped(@Ctx() { event: { eventId } }: KafkaEventsContext): void {
        runs.deduped.push(eventId);
      }
      @EventPattern('orders')
      each(@Ctx() { event: { eventId } }: KafkaEventsContext): void {
        runs.each.push(eventId);
      }
    }
    const { send, kafka } = await bootPatternApp(
      { controllers: [Orders] },
      { createPartitions: 1 },
    );

    await send('orders', event('e-1'), event('e-1'), event('e-2'));

    await eventually(async () => (await committedOffset(kafka, 'orders')) === 3n);
    expect(runs).toEqual({ deduped: ['e-1', 'e-2'], each: ['e-1', 'e-1', 'e-2'] });
  });

  it('claims under the names that @EventHandler would, so that marks outlive a migration', async () => {
    const store = new MemoryIdempotencyStore();
    const key = ['test', 'Orders.created', 'order.created.v1', 'orders', '', '', 'e-1'].join(
      '\u0000',
    );
    const [claim] = store.claim([
      { key, token: 'earlier', leaseMs: 60_000, level: 0, retentionMs: 60_000 },
    ]);
    expect(claim?.status).toBe('claimed');
    store.complete([{ key, token: 'earlier', state: 'done', level: 0, retentionMs: 60_000 }]);
    const seen: string[] = [];
    @Controller()
    class Orders {
      @UseInterceptors(IdempotencyInterceptor)
      @EventPattern('orders')
      created(@Ctx() { event: { eventId } }: KafkaEventsContext): void {
        seen.push(eventId);
      }
    }
    const { send } = await bootPatternApp(
      { controllers: [Orders] },
      { idempotency: { store }, createPartitions: 1 },
    );
    const typed = (eventId: string) => ({
      value: '{}',
      headers: { 'event-id': eventId, 'event-type': 'order.created.v1' },
    });

    await send('orders', typed('e-1'), typed('e-2'));

    await eventually(() => seen.length === 1);
    expect(seen).toEqual(['e-2']);
  });

  it('keeps what is done from being done again, although a failing handler has its record retried', async () => {
    const runs = { done: 0, failing: 0 };
    @Injectable()
    class FailsOnceAfterwards implements NestInterceptor {
      async intercept(_context: ExecutionContext, next: CallHandler): Promise<Observable<unknown>> {
        await new Promise<void>((resolve, reject) => {
          next.handle().subscribe({ complete: resolve, error: reject });
        });
        if (++runs.failing === 1) throw new Error('after the fact');
        return of(undefined);
      }
    }
    @Controller()
    class Orders {
      @UseInterceptors(FailsOnceAfterwards, IdempotencyInterceptor)
      @EventPattern('orders')
      created(_order: unknown): void {
        runs.done++;
      }
    }
    const { send, kafka } = await bootPatternApp({
      controllers: [Orders],
      providers: [FailsOnceAfterwards],
    });

    await send('orders', event('e-1'));

    await eventually(async () => (await committedOffset(kafka, 'orders')) === 1n);
    // The claim is marked once the whole call has succeeded: its outer interceptors are part of it.
    expect(runs).toEqual({ done: 2, failing: 2 });
  });
});

describe('RetryDeadLetterFilter behind KafkaEventsServer', () => {
  it('retries by the policy, then dead-letters byte for byte, and goes on', async () => {
    const attempts: number[] = [];
    const handled: unknown[] = [];
    @Controller()
    @UseFilters(RetryDeadLetterFilter)
    class Orders {
      @EventPattern(['orders'])
      created(@Payload() value: unknown, @Ctx() { event }: KafkaEventsContext): void {
        if (value !== 'good') {
          attempts.push(event.attempt);
          throw new Error('password=hunter2 is wrong');
        }
        handled.push(value);
      }
    }
    const { send, kafka } = await bootPatternApp(
      { controllers: [Orders] },
      { createPartitions: 1, retry: { attempts: 3 } },
    );
    const bytes = '{ "spaced" :  1.0 }';

    await send(
      'orders',
      { key: 'k', value: bytes, headers: { 'event-id': 'e-1', json: '{ "a": 1 }' } },
      { value: 'good' },
    );

    await eventually(() => handled.length === 1);
    expect(attempts).toEqual([1, 2, 3]);
    const [letter] = await deadLettersOf(kafka, 'orders');
    expect(letter).toMatchObject({
      key: 'k',
      value: bytes,
      reason: 'retries-exhausted',
      handler: 'Orders.created',
      attempts: 3,
      headers: { 'event-id': 'e-1', json: '{ "a": 1 }' },
    });
    expect(letter?.message).not.toContain('hunter2');
  });

  it('parks in a retry topic where the module’s options give the handler one', async () => {
    const seen: string[] = [];
    @Controller()
    @UseInterceptors(IdempotencyInterceptor)
    @UseFilters(RetryDeadLetterFilter)
    class Orders {
      @EventPattern(['orders'])
      created(@Payload() order: { id: string }, @Ctx() { event: at }: KafkaEventsContext): void {
        seen.push(`${order.id} at ${at.topic}@${at.offset}, attempt ${String(at.attempt)}`);
        if (order.id === 'flaky' && at.attempt < 3) throw new Error('not yet');
      }
    }
    const { send, kafka } = await bootPatternApp(
      { controllers: [Orders] },
      {
        createPartitions: 1,
        retry: { attempts: 2 },
        handlers: { 'Orders.created': { retryTopic: { delaysMs: [50] } } },
      },
    );

    await send('orders', event('e-1', '{"id":"flaky"}'), event('e-2', '{"id":"next"}'));

    const retryTopic = kafka.nameOf(`${kafka.nameOf('orders')}.test.retry`);
    await eventually(async () => (await committedOffset(kafka, retryTopic)) === 1n);
    const where = kafka.nameOf('orders');
    expect(seen).toEqual([
      `flaky at ${where}@0, attempt 1`,
      `flaky at ${where}@0, attempt 2`,
      `next at ${where}@1, attempt 1`,
      `flaky at ${where}@0, attempt 3`,
    ]);
  });

  it('dead-letters at once what asks for it, and what a guard turns away', async () => {
    @Controller()
    @UseFilters(RetryDeadLetterFilter)
    class Orders {
      @EventPattern(['orders'])
      created(@Payload() value: string, @Ctx() { event }: KafkaEventsContext): void {
        if (value === 'asks') event.deadLetter('no such order');
        throw new NonRetryableEventError('never');
      }
      @UseGuards({ canActivate: () => false })
      @EventPattern('guarded')
      guarded(_order: unknown): void {
        throw new Error('the guard let it through');
      }
    }
    const { send, kafka } = await bootPatternApp(
      { controllers: [Orders] },
      { createPartitions: 1 },
    );

    await send('orders', { value: 'asks' }, { value: 'poison' });
    await send('guarded', { value: 'v' });

    const letters = await deadLettersOf(kafka, 'orders', 2);
    expect(letters.map(({ reason, attempts }) => [reason, attempts])).toEqual([
      ['handler-requested', 1],
      ['non-retryable', 1],
    ]);
    const [guarded] = await deadLettersOf(kafka, 'guarded');
    expect(guarded).toMatchObject({ reason: 'rejected-by-guard', handler: 'Orders.guarded' });
  });

  it('is not needed for a handler that gives its record up by itself', async () => {
    @Controller()
    class Orders {
      @EventPattern(['orders'])
      created(@Payload() _value: unknown, @Ctx() { event }: KafkaEventsContext): void {
        event.deadLetter('no such order');
      }
    }
    const { send, kafka } = await bootPatternApp({ controllers: [Orders] });

    await send('orders', { value: 'v' });

    const [letter] = await deadLettersOf(kafka, 'orders');
    expect(letter).toMatchObject({ reason: 'handler-requested', message: 'no such order' });
  });

  it('dead-letters one handler’s failure and lets the others of the pattern succeed once', async () => {
    let runs = 0;
    @Controller()
    class Steady {
      @EventPattern('orders')
      created(_order: unknown): void {
        runs++;
      }
    }
    @Controller()
    @UseFilters(RetryDeadLetterFilter)
    class Failing {
      @EventPattern('orders')
      created(_order: unknown): void {
        throw new Error('always');
      }
    }
    const { send, kafka } = await bootPatternApp({ controllers: [Steady, Failing] });

    await send('orders', { value: 'v' });

    await eventually(async () => (await committedOffset(kafka, 'orders')) === 1n);
    expect(runs).toBe(1);
    const [letter] = await deadLettersOf(kafka, 'orders');
    expect(letter?.handler).toBe('Failing.created');
  });

  it('leaves errors to a nearer filter, which may count them as handled', async () => {
    const filtered: unknown[] = [];
    @Catch(RangeError)
    class Accepts implements ExceptionFilter {
      catch(error: unknown): Observable<unknown> {
        filtered.push(error);
        return of('accepted');
      }
    }
    @Controller()
    @UseFilters(RetryDeadLetterFilter)
    class Orders {
      @UseFilters(Accepts)
      @EventPattern('orders')
      created(_order: unknown): void {
        throw new RangeError('known');
      }
    }
    const { send, kafka } = await bootPatternApp({ controllers: [Orders] });

    await send('orders', { value: 'v' });

    await eventually(async () => (await committedOffset(kafka, 'orders')) === 1n);
    expect(filtered).toHaveLength(1);
  });

  it('marks the event of a dead letter, so that a second copy is a duplicate', async () => {
    let runs = 0;
    @Controller()
    @UseFilters(RetryDeadLetterFilter)
    @UseInterceptors(IdempotencyInterceptor)
    class Orders {
      @EventPattern('orders')
      created(_order: unknown): void {
        runs++;
        throw new NonRetryableEventError('never');
      }
    }
    const { send, kafka } = await bootPatternApp(
      { controllers: [Orders] },
      { createPartitions: 1 },
    );

    await send('orders', event('e-1'), event('e-1'));

    await eventually(async () => (await committedOffset(kafka, 'orders')) === 2n);
    expect(runs).toBe(1);
  });
});

describe('both, with globalEnhancers', () => {
  it('leave @EventHandler methods to the engine', async () => {
    let attempts = 0;
    const failures: unknown[] = [];
    @Injectable()
    class Handlers {
      @EventHandler(OrderCreated)
      created(_order: OrderCreated): void {
        if (++attempts < 2) throw new Error('once');
      }
    }
    const { app } = await bootPatternApp(
      {
        providers: [
          Handlers,
          { provide: APP_INTERCEPTOR, useExisting: IdempotencyInterceptor },
          { provide: APP_FILTER, useExisting: RetryDeadLetterFilter },
        ],
      },
      {
        globalEnhancers: true,
        observers: [{ onFilterFailed: (signal) => failures.push(signal) }],
      },
    );

    await app.get(EventPublisher).publish(OrderCreated, { orderId: 'o-1' }, { eventId: 'e-1' });
    await app.get(EventPublisher).publish(OrderCreated, { orderId: 'o-1' }, { eventId: 'e-1' });

    const spy = app.get(EventSpy);
    await spy.duplicate(OrderCreated);
    expect(await spy.handledEvents(OrderCreated)).toMatchObject([{ attempt: 2 }]);
    expect(failures).toEqual([]);
  });
});

describe('both, for the whole application', () => {
  it('hold for its microservices with inheritAppConfig, and leave HTTP as it is', async () => {
    let runs = 0;
    @Controller()
    class Orders {
      @EventPattern('orders')
      created(@Payload() value: string): void {
        runs++;
        if (value === 'bad') throw new NonRetryableEventError('never');
      }
      @Get('missing')
      missing(): void {
        throw new NotFoundException('no such order');
      }
      @Get('broken')
      broken(): void {
        throw new Error('secret detail');
      }
    }
    const kafka = await TestKafka.start();
    onCleanup(() => kafka.stop());
    @Module({
      imports: [KafkaEventsTestingModule.forRoot({ kafka, createPartitions: 1 })],
      controllers: [Orders],
      providers: [
        { provide: APP_INTERCEPTOR, useExisting: IdempotencyInterceptor },
        { provide: APP_FILTER, useExisting: RetryDeadLetterFilter },
      ],
    })
    class Root {}
    const app = await NestFactory.create(Root, { logger: false, abortOnError: false });
    onCleanup(() => app.close());
    app.connectMicroservice({ strategy: app.get(KafkaEventsServer) }, { inheritAppConfig: true });
    await app.startAllMicroservices();
    await app.listen(0, '127.0.0.1');
    const producer = await connectedProducer(kafkaJs([...kafka.brokers]));
    await producer.send({
      topic: 'orders',
      messages: [event('e-1'), event('e-1'), event('e-2', 'bad')],
    });

    await eventually(async () => (await committedOffset(kafka, 'orders')) === 3n);
    expect(runs).toBe(2);
    expect(await deadLettersOf(kafka, 'orders')).toHaveLength(1);
    const url = await app.getUrl();
    const missing = await fetch(`${url}/missing`);
    expect([missing.status, await missing.json()]).toEqual([
      404,
      { statusCode: 404, error: 'Not Found', message: 'no such order' },
    ]);
    const broken = await fetch(`${url}/broken`);
    expect([broken.status, await broken.text()]).toEqual([
      500,
      expect.not.stringContaining('secret'),
    ]);
  });

  it('leave gateways and GraphQL as they are', async () => {
    const { app } = await bootPatternApp({ controllers: [] });
    const filter = app.get(RetryDeadLetterFilter);
    const sent: unknown[] = [];
    const client = { emit: (...args: unknown[]) => sent.push(args) };
    const host = (type: string) => {
      const context = new ExecutionContextHost([client, { order: 1 }]);
      context.setType(type);
      return context;
    };

    expect(filter.catch(new WsException('no such order'), host('ws'))).toBeUndefined();
    await eventually(() => sent.length === 1);
    expect(sent).toEqual([
      ['exception', expect.objectContaining({ status: 'error', message: 'no such order' })],
    ]);

    // Nest throws it on to the resolver's caller.
    expect(filter.catch(new Error('no such order'), host('graphql'))).toBeUndefined();
    expect(sent).toHaveLength(1);
  });
});
