import { expect, it } from '@jest/globals';
import {
  Catch,
  Controller,
  Injectable,
  UseFilters,
  UseGuards,
  UseInterceptors,
  type CallHandler,
  type CanActivate,
  type ExceptionFilter,
  type ExecutionContext,
  type NestInterceptor,
} from '@nestjs/common';
import { EventPattern, Payload } from '@nestjs/microservices';
import { map, of, take, timeout, type Observable } from 'rxjs';

import {
  IdempotencyInterceptor,
  MemoryIdempotencyStore,
  NonRetryableEventError,
  RetryDeadLetterFilter,
} from '../../../lib/index.js';
import { describeEachKafka } from '../../support/each-kafka.js';
import { eventually } from '../../support/eventually.js';
import { committedOffsetOf, deadLettersAt } from '../../support/pattern-shop.js';
import {
  bootPlainApp,
  plainPlace,
  sendPlain,
  type PlainPlace,
} from '../../support/plain-server.js';
import { rejectionOf } from '../../support/thrown-by.js';

const event = (eventId: string, value = '{}') => ({ value, headers: { 'event-id': eventId } });

const committed = ({ brokers, topic, groupId }: PlainPlace) =>
  committedOffsetOf(brokers, topic, `${groupId}-server`);

/** An interceptor around all others that changes what comes out of the handler. */
function around(change: (answers: Observable<unknown>) => Observable<unknown>) {
  @Injectable()
  class Around implements NestInterceptor {
    intercept(_context: ExecutionContext, next: CallHandler): Observable<unknown> {
      return change(next.handle());
    }
  }
  return Around;
}

describeEachKafka('behind Nest’s own ServerKafka, among what applications do', (brokers) => {
  it('two controllers of one name are refused: they would take each other’s claims', async () => {
    const place = await plainPlace(brokers);
    const named = (runs: string[]) => {
      @Controller()
      @UseInterceptors(IdempotencyInterceptor)
      class Orders {
        @EventPattern([place.topic])
        created(@Payload() value: string): void {
          runs.push(value);
        }
      }
      return Orders;
    };

    expect(await rejectionOf(() => bootPlainApp(place, [named([]), named([])]))).toMatchObject({
      name: 'InvalidHandlerError',
      message: expect.stringContaining('Orders.created'),
    });
  });

  it('methods that a decorator has wrapped keep their names', async () => {
    const place = await plainPlace(brokers);
    const runs: string[] = [];
    const Traced = (): MethodDecorator => (_target, _name, descriptor) => {
      const original = descriptor.value as (...args: unknown[]) => unknown;
      const wrapper = function (this: unknown, ...args: unknown[]) {
        return original.apply(this, args);
      };
      Object.assign(descriptor, { value: wrapper });
    };
    @Controller()
    @UseInterceptors(IdempotencyInterceptor)
    class Orders {
      @EventPattern([place.topic])
      @Traced()
      one(_value: unknown): void {
        runs.push('one');
      }
      @EventPattern([place.topic])
      @Traced()
      two(_value: unknown): void {
        runs.push('two');
      }
    }
    await sendPlain(place, event('e-1'));
    await bootPlainApp(place, [Orders]);

    await eventually(async () => (await committed(place)) === 1n);
    expect(runs.toSorted()).toEqual(['one', 'two']);
  });

  it('one error object for several records is a failure of each, wherever it is thrown', async () => {
    const place = await plainPlace(brokers);
    const CLOSED = new NonRetryableEventError('the shop is closed');
    const guard: CanActivate = {
      canActivate: (context) => {
        if (context.switchToRpc().getData() === 'b') throw CLOSED;
        return true;
      },
    };
    @Controller()
    @UseFilters(RetryDeadLetterFilter)
    @UseInterceptors(IdempotencyInterceptor)
    class Orders {
      @UseGuards(guard)
      @EventPattern([place.topic])
      created(_value: unknown): void {
        throw CLOSED;
      }
    }
    await sendPlain(place, event('e-1', 'a'), event('e-2', 'b'), event('e-3', 'c'));
    await bootPlainApp(place, [Orders]);

    const letters = await deadLettersAt(brokers, `${place.topic}.dlq`, 3);
    expect(letters.map(({ value, handler }) => [value, handler])).toEqual([
      ['a', 'Orders.created'],
      ['b', null],
      ['c', 'Orders.created'],
    ]);
    await eventually(async () => (await committed(place)) === 3n);
  });

  it('a handler left by a timeout counts when it has ended after all, and does not run twice', async () => {
    const place = await plainPlace(brokers);
    const runs: string[] = [];
    @Controller()
    @UseFilters(RetryDeadLetterFilter)
    @UseInterceptors(around(timeout(50)), IdempotencyInterceptor)
    class Orders {
      @EventPattern([place.topic])
      async created(@Payload() value: string): Promise<void> {
        runs.push(`${value} begins`);
        await new Promise((resolve) => setTimeout(resolve, 400));
        runs.push(`${value} ends`);
      }
    }
    await sendPlain(place, event('e-1', 'a'), event('e-2', 'b'));
    await bootPlainApp(place, [Orders]);

    await eventually(async () => (await committed(place)) === 2n);
    expect(runs).toEqual(['a begins', 'a ends', 'b begins', 'b ends']);
  });

  it('an interceptor that takes the first answer and goes leaves the event done', async () => {
    const place = await plainPlace(brokers);
    const store = new MemoryIdempotencyStore();
    let runs = 0;
    @Controller()
    @UseInterceptors(around(take(1)), IdempotencyInterceptor)
    class Orders {
      @EventPattern([place.topic])
      created(_value: unknown): Observable<number> {
        runs++;
        return of(1, 2, 3);
      }
    }
    await sendPlain(place, event('e-1'), event('e-1'));
    await bootPlainApp(place, [Orders], { module: { idempotency: { store } } });

    await eventually(async () => (await committed(place)) === 2n);
    expect(runs).toBe(1);
  });

  it('a duplicate is none the worse for an interceptor that wants the answer', async () => {
    const place = await plainPlace(brokers);
    const duplicates: unknown[] = [];
    const failures: unknown[] = [];
    @Controller()
    @UseFilters(RetryDeadLetterFilter)
    @UseInterceptors(around(map((answer) => (answer as { id: string }).id)), IdempotencyInterceptor)
    class Orders {
      @EventPattern([place.topic])
      created(_value: unknown): { id: string } {
        return { id: 'o-1' };
      }
    }
    await sendPlain(place, event('e-1'), event('e-1'), event('e-2'));
    await bootPlainApp(place, [Orders], {
      module: {
        observers: [
          {
            onDuplicate: (signal) => duplicates.push(signal),
            onAttemptFailed: (signal) => failures.push(signal),
          },
        ],
      },
    });

    await eventually(async () => (await committed(place)) === 3n);
    expect(duplicates).toHaveLength(1);
    expect(failures).toEqual([]);
  });

  it('the interceptor on class and method claims once', async () => {
    const place = await plainPlace(brokers);
    let runs = 0;
    @Controller()
    @UseFilters(RetryDeadLetterFilter)
    @UseInterceptors(IdempotencyInterceptor)
    class Orders {
      @UseInterceptors(IdempotencyInterceptor)
      @EventPattern([place.topic])
      created(_value: unknown): void {
        if (++runs === 1) throw new Error('once');
      }
    }
    await sendPlain(place, event('e-1'), event('e-1'));
    await bootPlainApp(place, [Orders]);

    await eventually(async () => (await committed(place)) === 2n);
    expect(runs).toBe(2);
  });

  it('failing handlers without the interceptor have their record dead-lettered, once', async () => {
    const place = await plainPlace(brokers);
    @Controller()
    @UseFilters(RetryDeadLetterFilter)
    class Orders {
      @EventPattern([place.topic])
      one(_value: unknown): void {
        throw new Error('one fails');
      }
      @EventPattern([place.topic])
      two(_value: unknown): void {
        throw new Error('two fails');
      }
    }
    await sendPlain(place, event('e-1', 'a'), event('e-2', 'b'), event('e-3', 'c'));
    await bootPlainApp(place, [Orders]);

    const letters = await deadLettersAt(brokers, `${place.topic}.dlq`, 3);
    expect(letters.map(({ value, attempts }) => `${value ?? ''} ${attempts}`)).toEqual([
      'a 3',
      'b 3',
      'c 3',
    ]);
  });

  it('an event that waits for somebody else is not lost to a filter that takes any error', async () => {
    const place = await plainPlace(brokers);
    const store = new MemoryIdempotencyStore();
    const key = [`${place.groupId}-server`, 'Orders.created', '', place.topic, '', '', 'e-1'];
    store.claim([
      {
        key: key.join('\u0000'),
        token: 'elsewhere',
        leaseMs: 5_000,
        level: 0,
        retentionMs: 60_000,
      },
    ]);
    const seen: string[] = [];
    const swallowed: unknown[] = [];
    @Catch()
    class Swallows implements ExceptionFilter {
      catch(error: unknown): Observable<unknown> {
        swallowed.push(error);
        return of('handled, I say');
      }
    }
    @Controller()
    @UseFilters(Swallows)
    @UseInterceptors(IdempotencyInterceptor)
    class Orders {
      @EventPattern([place.topic])
      created(@Payload() value: string): void {
        seen.push(value);
      }
    }
    await sendPlain(place, event('e-1', 'a'), event('e-2', 'b'));
    // A third of the session is shorter than the other's lease.
    await bootPlainApp(place, [Orders], { module: { idempotency: { store } } });

    await eventually(async () => (await committed(place)) === 2n);
    expect(seen).toEqual(['a', 'b']);
    expect(swallowed).toEqual([expect.objectContaining({ name: 'RedeliveryError' })]);
  });
});
