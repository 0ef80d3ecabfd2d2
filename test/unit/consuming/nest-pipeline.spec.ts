import { describe, expect, it } from '@jest/globals';
import {
  BadRequestException,
  Controller,
  ForbiddenException,
  HttpException,
  Injectable,
  NotFoundException,
  Scope,
  UnprocessableEntityException,
  UseGuards,
  UseInterceptors,
  UsePipes,
  ValidationPipe,
  type CallHandler,
  type CanActivate,
  type ExecutionContext,
  type NestInterceptor,
  type PipeTransform,
} from '@nestjs/common';
import { APP_GUARD, APP_INTERCEPTOR, APP_PIPE, Reflector } from '@nestjs/core';
import { Ctx, Payload } from '@nestjs/microservices';
import { IsString } from 'class-validator';
import { EMPTY, map, of, throwError, type Observable } from 'rxjs';

import type { EventContext } from '../../../lib/consuming/event-context.js';
import { EventHandler } from '../../../lib/consuming/event-handler.decorator.js';
import { call, callAndFail, findHandlers, handlerOf } from '../../support/nest-handlers.js';
import { OrderCreated } from '../../support/shop-events.js';

const ID = 'Handler.handle';

/** Provided where a test wants to know that a dependency was injected. */
@Injectable()
class Journal {
  readonly entries: string[] = [];
}

@Injectable()
class JournalGuard implements CanActivate {
  constructor(private readonly journal: Journal) {}
  canActivate(context: ExecutionContext): boolean {
    this.journal.entries.push(`guard ${context.getHandler().name} ${context.getType()}`);
    return true;
  }
}

@Injectable()
class JournalInterceptor implements NestInterceptor {
  constructor(private readonly journal: Journal) {}
  intercept(_context: ExecutionContext, next: CallHandler): Observable<unknown> {
    this.journal.entries.push('before');
    return next.handle().pipe(
      map((answer: unknown) => {
        this.journal.entries.push('after');
        return answer;
      }),
    );
  }
}

@Injectable()
class JournalPipe implements PipeTransform {
  constructor(private readonly journal: Journal) {}
  transform(value: unknown): unknown {
    this.journal.entries.push(`pipe ${JSON.stringify(value)}`);
    return value;
  }
}

describe('the enhancers of a handler', () => {
  const journal = new Journal();
  const provided = [{ provide: Journal, useValue: journal }];
  const expected = ['guard handle rpc', 'before', 'pipe {"orderId":"1"}', 'body', 'after'] as const;

  @UseGuards(JournalGuard)
  @UseInterceptors(JournalInterceptor)
  @UsePipes(JournalPipe)
  class Handler {
    @EventHandler(OrderCreated)
    handle(_order: OrderCreated, _context: EventContext): void {
      journal.entries.push('body');
    }
  }
  Injectable()(Handler);
  const ran = async (metadata: object) => {
    journal.entries.length = 0;
    await call(await findHandlers(metadata), ID, { orderId: '1' });
    return journal.entries;
  };

  it('run in Nest’s order on a provider, the pipes on an undecorated payload too', async () => {
    expect(await ran({ providers: [Handler, ...provided] })).toEqual(expected);
  });

  it('run on a provider that has another token', async () => {
    const providers = [{ provide: 'handler', useClass: Handler }, ...provided];

    expect(await ran({ providers })).toEqual(expected);
  });

  it('run on a controller', async () => {
    Controller()(Handler);

    expect(await ran({ controllers: [Handler], providers: provided })).toEqual(expected);
  });

  it('may be transient: each host has its own, constructed', async () => {
    @Injectable({ scope: Scope.TRANSIENT })
    class TransientGuard extends JournalGuard {}
    @Injectable()
    @UseGuards(TransientGuard)
    class Handler {
      @EventHandler(OrderCreated)
      handle(_order: OrderCreated): void {
        journal.entries.push('body');
      }
    }

    expect(await ran({ providers: [Handler, ...provided] })).toEqual(['guard handle rpc', 'body']);
  });

  it('find the metadata of the method and class they are on', async () => {
    const Needs = Reflector.createDecorator<string>();
    @Injectable()
    class NeedsGuard implements CanActivate {
      constructor(private readonly reflector: Reflector) {}
      canActivate(context: ExecutionContext): boolean {
        return this.reflector.get(Needs, context.getHandler()) === 'stock';
      }
    }
    @Injectable()
    @UseGuards(NeedsGuard)
    class Handler {
      @Needs('stock')
      @EventHandler(OrderCreated)
      handle(_order: OrderCreated): string {
        return 'reached';
      }
    }

    expect(await call(await findHandlers({ providers: [Handler] }), ID)).toBe('reached');
  });

  it('do not meet the context: a pipe of the class sees payloads alone', async () => {
    const seen: unknown[] = [];
    @Injectable()
    @UsePipes({ transform: (value: unknown) => seen.push(value) && value })
    class Handler {
      @EventHandler(OrderCreated)
      handle(@Ctx() context: EventContext, @Payload() _order: OrderCreated): string {
        return context.topic;
      }
    }

    expect(await call(await findHandlers({ providers: [Handler] }), ID, 'payload')).toBe('orders');
    expect(seen).toEqual(['payload']);
  });
});

/** A handler with the given decorators on its class, called once, and where its error came from. */
async function faultUnder(
  decorator: ClassDecorator,
  body: () => unknown = () => 'done',
): Promise<string> {
  class Handler {
    @EventHandler(OrderCreated)
    handle(_order: OrderCreated): unknown {
      return body();
    }
  }
  decorator(Handler);
  Injectable()(Handler);
  const handlers = await findHandlers({ providers: [Handler] });
  return handlerOf(handlers, ID).faultOf(await callAndFail(handlers, ID));
}

const guard = (canActivate: CanActivate['canActivate']) => UseGuards({ canActivate });
const pipe = (transform: PipeTransform['transform']) => UsePipes({ transform });
const interceptor = (intercept: NestInterceptor['intercept']) => UseInterceptors({ intercept });
function fail(error: Error): never {
  throw error;
}

describe('where an error came from', () => {
  it.each<[string, CanActivate['canActivate']]>([
    ['false', () => false],
    ['a promise of false', () => Promise.resolve(false)],
    ['an Observable of false', () => of(false)],
  ])('is the guard that answered %s', async (_what, canActivate) => {
    expect(await faultUnder(guard(canActivate))).toBe('rejected-by-guard');
  });

  it.each<[string, CanActivate['canActivate']]>([
    ['throws Nest’s own exception', () => fail(new ForbiddenException('Forbidden resource'))],
    ['rejects', () => Promise.reject(new Error('the user service is away'))],
    ['fails in its Observable', () => throwError(() => new ForbiddenException())],
  ])('is not told from the body for a guard that %s', async (_what, canActivate) => {
    expect(await faultUnder(guard(canActivate))).toBe('body');
  });

  it('is the body for a ForbiddenException thrown there, also behind a guard', async () => {
    const forbidden = () => fail(new ForbiddenException());

    expect(
      await faultUnder(
        guard(() => true),
        forbidden,
      ),
    ).toBe('body');
  });

  it.each([
    ['400', new BadRequestException()],
    ['422', new UnprocessableEntityException()],
    ['406', new HttpException('not acceptable', 406)],
  ])('is the pipe that refuses the payload with %s', async (_status, error) => {
    expect(await faultUnder(pipe(() => fail(error)))).toBe('rejected-by-pipe');
  });

  it.each([
    ['404', new NotFoundException('no such order yet')],
    ['an error of its own', new Error('database away')],
  ])('is not the payload for a pipe that fails with %s', async (_what, error) => {
    expect(await faultUnder(pipe(() => fail(error)))).toBe('body');
  });

  it('is neither for a BadRequestException of an interceptor or the body', async () => {
    const bad = () => fail(new BadRequestException());

    expect(await faultUnder(interceptor(bad))).toBe('body');
    expect(
      await faultUnder(
        pipe((value: unknown) => value),
        bad,
      ),
    ).toBe('body');
  });

  it('is the ValidationPipe for a payload that breaks its class', async () => {
    class Order {
      @IsString() orderId!: string;
    }
    @Injectable()
    class Handler {
      @EventHandler(OrderCreated)
      handle(@Payload(new ValidationPipe()) order: Order): string {
        return order.orderId;
      }
    }
    const handlers = await findHandlers({ providers: [Handler] });

    const error = await callAndFail(handlers, ID, { orderId: 1 });

    expect(handlerOf(handlers, ID).faultOf(error)).toBe('rejected-by-pipe');
    expect(await call(handlers, ID, { orderId: 'o-1' })).toBe('o-1');
  });
});

describe('an interceptor that does not call the handler', () => {
  it('skips it by answering with a value', async () => {
    class Handler {
      @EventHandler(OrderCreated)
      handle(_order: OrderCreated): never {
        throw new Error('not skipped');
      }
    }
    interceptor(() => of(undefined))(Handler);
    Injectable()(Handler);

    expect(await call(await findHandlers({ providers: [Handler] }), ID)).toBeUndefined();
  });

  it('fails it, retryably, by ending without one', async () => {
    expect(await faultUnder(interceptor(() => EMPTY))).toBe('body');
  });
});

describe('the enhancers of the application', () => {
  const journal = new Journal();
  const http: CanActivate = {
    // What an HTTP guard does to an event: there is no request to authorize.
    canActivate: (context) =>
      context.switchToHttp().getRequest<{ headers?: { authorization?: string } }>().headers
        ?.authorization !== undefined,
  };

  @Injectable()
  class Handler {
    @EventHandler(OrderCreated)
    handle(_order: OrderCreated): string {
      return 'handled';
    }
  }

  it('do not run unless asked to: an HTTP guard does no harm', async () => {
    const providers = [Handler, { provide: APP_GUARD, useValue: http }];

    expect(await call(await findHandlers({ providers }), ID)).toBe('handled');
  });

  it('run in front of the handler’s own with globalEnhancers', async () => {
    journal.entries.length = 0;
    const providers = [
      Handler,
      { provide: Journal, useValue: journal },
      { provide: APP_GUARD, useClass: JournalGuard },
      { provide: APP_INTERCEPTOR, useClass: JournalInterceptor },
      { provide: APP_PIPE, useClass: JournalPipe },
    ];

    const handlers = await findHandlers({ providers }, { globalEnhancers: true });

    expect(await call(handlers, ID, 1)).toBe('handled');
    expect(journal.entries).toEqual(['guard handle rpc', 'before', 'pipe 1', 'after']);
  });

  it('dead-letter what they deny with globalEnhancers', async () => {
    const providers = [Handler, { provide: APP_GUARD, useValue: http }];
    const handlers = await findHandlers({ providers }, { globalEnhancers: true });

    const error = await callAndFail(handlers, ID);

    expect(handlerOf(handlers, ID).faultOf(error)).toBe('rejected-by-guard');
  });

  it('must be singletons with globalEnhancers', async () => {
    @Injectable({ scope: Scope.REQUEST })
    class TenantGuard extends JournalGuard {}
    const providers = [Handler, Journal, { provide: APP_GUARD, useClass: TenantGuard }];

    await expect(findHandlers({ providers }, { globalEnhancers: true })).rejects.toThrow(
      'globalEnhancers: TenantGuard is request-scoped or transient',
    );
    expect(await call(await findHandlers({ providers }), ID)).toBe('handled');
  });
});
