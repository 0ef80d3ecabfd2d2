import { describe, expect, it } from '@jest/globals';
import {
  Catch,
  createParamDecorator,
  ForbiddenException,
  Injectable,
  UseFilters,
  UseGuards,
  UseInterceptors,
  UsePipes,
  type ArgumentsHost,
  type CallHandler,
  type CanActivate,
  type ExceptionFilter,
  type ExecutionContext,
  type NestInterceptor,
  type PipeTransform,
} from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import { tap, type Observable } from 'rxjs';

import { EventBatch } from '../../../../lib/consuming/batch/event-batch.js';
import { EventBatchHandler } from '../../../../lib/consuming/event-batch-handler.decorator.js';
import { EventHandler } from '../../../../lib/consuming/event-handler.decorator.js';
import { EventOutcome } from '../../../../lib/consuming/event-outcome.js';
import { InvalidHandlerError } from '../../../../lib/kafka-events.errors.js';
import { createEventBatch } from '../../../../lib/testing/create-event-batch.js';
import { findHandlers, handlerOf, NO_CONTROL } from '../../../support/nest-handlers.js';
import { OrderCreated } from '../../../support/shop-events.js';
import { rejectionOf } from '../../../support/thrown-by.js';

const ORDER = { orderId: '1' };

const journal: string[] = [];
const note = (context: ArgumentsHost, what: string): void => {
  const rpc = context.switchToRpc();
  const isBatch = rpc.getData() instanceof EventBatch && rpc.getContext() === rpc.getData();
  journal.push(`${what} ${context.getType()} ${isBatch ? 'batch' : 'something else'}`);
};

@Injectable()
class NotingGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    note(context, 'guard');
    return true;
  }
}

@Injectable()
class NotingInterceptor implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    note(context, 'before');
    return next.handle().pipe(
      tap(() => {
        note(context, 'after');
      }),
    );
  }
}

@Injectable()
class NotingPipe implements PipeTransform {
  transform(value: unknown): unknown {
    journal.push('pipe');
    return value;
  }
}

@Catch()
class NotingFilter implements ExceptionFilter {
  catch(_error: unknown, host: ArgumentsHost): EventOutcome {
    note(host, 'filter');
    return EventOutcome.succeeded();
  }
}

const FirstKey = createParamDecorator((_: unknown, context: ExecutionContext) => {
  const batch = context.switchToRpc().getData<EventBatch>();
  return batch.item(0).aggregateId;
});

async function calling(
  host: new () => object,
  batch: EventBatch,
  name = 'handle',
): Promise<unknown> {
  journal.length = 0;
  const handlers = await findHandlers({ providers: [host] });
  return handlerOf(handlers, `${host.name}.${name}`).invoke(batch, batch, NO_CONTROL);
}

describe('a method with @EventBatchHandler', () => {
  it('is called once for the batch behind guards and interceptors, and pipes leave it alone', async () => {
    @UseGuards(NotingGuard)
    @UseInterceptors(NotingInterceptor)
    @UsePipes(NotingPipe)
    @Injectable()
    class Orders {
      @EventBatchHandler(OrderCreated)
      handle(batch: EventBatch<OrderCreated>): void {
        journal.push(`body ${batch.length.toString()}`);
      }
    }

    await calling(Orders, await createEventBatch(OrderCreated, [ORDER, ORDER]));

    expect(journal).toEqual(['guard rpc batch', 'before rpc batch', 'body 2', 'after rpc batch']);
  });

  it('is given the batch in decorated parameters, and what custom decorators make of it', async () => {
    @Injectable()
    class Orders {
      @EventBatchHandler(OrderCreated)
      handle(
        @FirstKey() key: string,
        @Payload() batch: EventBatch<OrderCreated>,
        @Ctx() context: EventBatch<OrderCreated>,
        @Payload('length') length: number,
      ): void {
        journal.push(`${key} ${batch.payloads[0]?.orderId ?? ''} ${String(batch === context)}`);
        journal.push(String(length));
      }
    }

    await calling(Orders, await createEventBatch(OrderCreated, [ORDER]));

    expect(journal).toEqual(['1 1 true', '1']);
  });

  it('is called without a promise when nothing is asynchronous', async () => {
    @UsePipes(NotingPipe)
    @Injectable()
    class Orders {
      @EventBatchHandler(OrderCreated)
      handle(batch: EventBatch<OrderCreated>): number {
        return batch.length;
      }
    }
    const batch = await createEventBatch(OrderCreated, [ORDER]);
    const handlers = await findHandlers({ providers: [Orders] });

    expect(handlerOf(handlers, 'Orders.handle').invoke(batch, batch, NO_CONTROL)).toBe(1);
  });

  it('shows a failure to its filters once, with the batch', async () => {
    @UseFilters(NotingFilter)
    @Injectable()
    class Orders {
      @EventBatchHandler(OrderCreated)
      handle(_batch: EventBatch<OrderCreated>): void {
        throw new Error('broken');
      }
    }
    journal.length = 0;
    const batch = await createEventBatch(OrderCreated, [ORDER, ORDER]);
    const handlers = await findHandlers({ providers: [Orders] });
    const handler = handlerOf(handlers, 'Orders.handle');

    const outcome = await handler.filter(new Error('broken'), batch, batch, () => undefined);

    expect(outcome).toEqual(EventOutcome.succeeded());
    expect(journal).toEqual(['filter rpc batch']);
  });

  it('has a guard that answers false told from one thrown by the body', async () => {
    @Injectable()
    class Refusing implements CanActivate {
      canActivate(): boolean {
        return false;
      }
    }
    @UseGuards(Refusing)
    @Injectable()
    class Orders {
      @EventBatchHandler(OrderCreated)
      handle(_batch: EventBatch<OrderCreated>): void {
        journal.push('body');
      }
    }
    const batch = await createEventBatch(OrderCreated, [ORDER]);
    const handler = handlerOf(await findHandlers({ providers: [Orders] }), 'Orders.handle');
    const error = await Promise.resolve(handler.invoke(batch, batch, NO_CONTROL)).catch(
      (thrown: unknown) => thrown as Error,
    );

    expect(error).toBeInstanceOf(ForbiddenException);
    expect(handler.faultOf(error as Error)).toBe('rejected-by-guard');
  });
});

describe('the boot fails', () => {
  const problemsOf = async (host: new () => object): Promise<readonly string[]> => {
    const error = await rejectionOf(() => findHandlers({ providers: [host] }));
    if (!(error instanceof InvalidHandlerError)) throw error;
    return error.problems;
  };

  it('for pipes on the method or on the parameter of the batch, which would never run', async () => {
    @Injectable()
    class Orders {
      @UsePipes(NotingPipe)
      @EventBatchHandler(OrderCreated, { id: 'one' })
      onMethod(_batch: EventBatch<OrderCreated>): void {
        journal.push('body');
      }
      @EventBatchHandler(OrderCreated, { id: 'two' })
      onParameter(@Payload(new NotingPipe()) _batch: EventBatch<OrderCreated>): void {
        journal.push('body');
      }
    }

    expect(await problemsOf(Orders)).toEqual([
      expect.stringContaining('Orders.onMethod (AppModule): its pipes would never run'),
      expect.stringContaining('Orders.onParameter (AppModule): its pipes would never run'),
    ]);
  });

  it('for a topic that is taken in batches and record by record in one group', async () => {
    @Injectable()
    class Orders {
      @EventBatchHandler(OrderCreated)
      all(_batch: EventBatch<OrderCreated>): void {
        journal.push('body');
      }
      @EventHandler(OrderCreated)
      each(_order: OrderCreated): void {
        journal.push('body');
      }
      @EventHandler(OrderCreated, { id: 'elsewhere', groupId: 'other' })
      elsewhere(_order: OrderCreated): void {
        journal.push('body');
      }
    }

    expect(await problemsOf(Orders)).toEqual([
      'topic "orders" in group "shop": is taken in batches (Orders.all) and record by record ' +
        '(Orders.each); give one of them another groupId',
    ]);
  });
});
