import { describe, expect, it } from '@jest/globals';
import {
  createParamDecorator,
  Injectable,
  ParseIntPipe,
  UseGuards,
  type ExecutionContext,
} from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import { defer, EMPTY, of } from 'rxjs';

import { EventContext } from '../../../lib/consuming/event-context.js';
import { EventHandler } from '../../../lib/consuming/event-handler.decorator.js';
import {
  call,
  callAndFail,
  contextFor,
  findHandlers,
  handlerOf,
  NO_CONTROL,
} from '../../support/nest-handlers.js';
import { OrderCreated } from '../../support/shop-events.js';

const ALLOW = { canActivate: () => true };

/** What `createParamDecorator` users see of the call. */
const Call = createParamDecorator((field: string, context: ExecutionContext) => {
  const rpc = context.switchToRpc();
  return {
    field,
    type: context.getType(),
    class: context.getClass(),
    data: rpc.getData<unknown>(),
    context: rpc.getContext<unknown>(),
  };
});

/** Every way to take parameters; `Guarded` has the same methods behind Nest's pipeline. */
class Plain {
  readonly greeting = 'this';

  @EventHandler(OrderCreated)
  undecorated(order: OrderCreated, context: EventContext): unknown {
    return [this.greeting, order, context];
  }
  @EventHandler(OrderCreated)
  payload(@Payload() order: OrderCreated): unknown {
    return [order];
  }
  @EventHandler(OrderCreated)
  contextFirst(@Ctx() context: EventContext, @Payload() order: OrderCreated): unknown {
    return [context, order];
  }
  @EventHandler(OrderCreated)
  field(@Payload('orderId') orderId: string, @Ctx() context: EventContext): unknown {
    return [orderId, context];
  }
  @EventHandler(OrderCreated)
  gap(undecorated: OrderCreated, @Ctx() context: EventContext): unknown {
    return [undecorated, context];
  }
}

@Injectable()
class Direct extends Plain {}

@Injectable()
@UseGuards(ALLOW)
class Guarded extends Plain {}

describe.each(['Direct', 'Guarded'])('parameters of a handler (%s)', (host) => {
  const order = { orderId: 'o-1' };
  const context = contextFor();
  const answer = async (method: string, payload: unknown = order): Promise<unknown> =>
    call(
      await findHandlers({ providers: [Direct, Guarded] }),
      `${host}.${method}`,
      payload,
      context,
    );

  it('gives an undecorated method the payload, the context and its this', async () => {
    expect(await answer('undecorated')).toEqual(['this', order, context]);
  });

  it('gives @Payload() and @Ctx() in whatever order', async () => {
    expect(await answer('payload')).toEqual([order]);
    expect(await answer('contextFirst')).toEqual([context, order]);
  });

  it('gives a field of the payload, and nothing of a tombstone', async () => {
    expect(await answer('field')).toEqual(['o-1', context]);
    expect(await answer('field', null)).toEqual([undefined, context]);
  });

  it('leaves an undecorated parameter beside decorated ones empty, as Nest does', async () => {
    expect(await answer('gap')).toEqual([undefined, context]);
  });
});

describe('a custom parameter decorator', () => {
  it('sees an rpc context with the payload as data', async () => {
    @Injectable()
    class Handler {
      @EventHandler(OrderCreated)
      handle(@Call('f') seen: unknown, @Payload() _order: OrderCreated): unknown {
        return seen;
      }
    }
    const context = contextFor();

    const seen = await call(
      await findHandlers({ providers: [Handler] }),
      'Handler.handle',
      'data',
      context,
    );

    expect(seen).toEqual({ field: 'f', type: 'rpc', class: Handler, data: 'data', context });
  });
});

describe('what a handler returns', () => {
  const subscribed: string[] = [];

  @Injectable()
  class Handler {
    @EventHandler(OrderCreated)
    atOnce(_order: OrderCreated): string {
      return 'done';
    }
    @EventHandler(OrderCreated)
    throwing(_order: OrderCreated): void {
      throw new RangeError('body');
    }
    @EventHandler(OrderCreated)
    observable(_order: OrderCreated): unknown {
      return of(1, 2, 3);
    }
    @EventHandler(OrderCreated)
    promisedObservable(_order: OrderCreated): Promise<unknown> {
      return Promise.resolve(
        defer(() => {
          subscribed.push('yes');
          return of('late');
        }),
      );
    }
    @EventHandler(OrderCreated)
    empty(_order: OrderCreated): unknown {
      return EMPTY;
    }
    @EventHandler(OrderCreated)
    piped(@Payload('quantity', ParseIntPipe) quantity: number, @Payload() _: OrderCreated): number {
      return quantity;
    }
  }
  const handlers = () => findHandlers({ providers: [Handler] });

  it('is handed over without a promise when nothing is asynchronous', async () => {
    const { invoke } = handlerOf(await handlers(), 'Handler.atOnce');

    expect(invoke({}, contextFor(), NO_CONTROL)).toBe('done');
  });

  it('is thrown unchanged', async () => {
    const error = await callAndFail(await handlers(), 'Handler.throwing');

    expect(error).toBeInstanceOf(RangeError);
    expect(handlerOf(await handlers(), 'Handler.throwing').faultOf(error)).toBe('body');
  });

  it('is the last value of an Observable, which is subscribed even inside a promise', async () => {
    expect(await call(await handlers(), 'Handler.observable')).toBe(3);
    expect(await call(await handlers(), 'Handler.promisedObservable')).toBe('late');
    expect(subscribed).toEqual(['yes']);
  });

  it('is a failure when the Observable ends without a value', async () => {
    expect(await callAndFail(await handlers(), 'Handler.empty')).toMatchObject({
      name: 'EmptyError',
    });
  });

  it('passes the pipes of its parameters first', async () => {
    expect(await call(await handlers(), 'Handler.piped', { quantity: '3' })).toBe(3);
  });
});
