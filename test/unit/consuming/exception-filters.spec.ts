import { describe, expect, it } from '@jest/globals';
import {
  Catch,
  Controller,
  Injectable,
  UseFilters,
  type ArgumentsHost,
  type ExceptionFilter,
} from '@nestjs/common';
import { APP_FILTER } from '@nestjs/core';
import { BaseRpcExceptionFilter } from '@nestjs/microservices';
import { EMPTY, from, of, throwError } from 'rxjs';

import { EventHandler } from '../../../lib/consuming/event-handler.decorator.js';
import { EventOutcome } from '../../../lib/consuming/event-outcome.js';
import {
  contextFor,
  findHandlers,
  handlerOf,
  type FindOptions,
} from '../../support/nest-handlers.js';
import { OrderCreated } from '../../support/shop-events.js';

const ID = 'Handler.handle';
const SUCCEEDED = EventOutcome.succeeded();
const ERROR = new TypeError('body');

interface Ruling {
  readonly outcome: EventOutcome | null;
  readonly filterErrors: Error[];
}

/** Shows an error to the filters of a handler, as the engine does after a failed attempt. */
async function rule(
  decorators: {
    onClass?: ExceptionFilter[];
    onMethod?: ExceptionFilter[];
    global?: ExceptionFilter;
  },
  error: Error = ERROR,
  options: FindOptions = {},
): Promise<Ruling> {
  @Injectable()
  @UseFilters(...(decorators.onClass ?? []))
  class Handler {
    @UseFilters(...(decorators.onMethod ?? []))
    @EventHandler(OrderCreated)
    handle(_order: OrderCreated): void {
      throw error;
    }
  }
  const globals =
    decorators.global === undefined ? [] : [{ provide: APP_FILTER, useValue: decorators.global }];
  const handlers = await findHandlers({ providers: [Handler, ...globals] }, options);
  const filterErrors: Error[] = [];
  const outcome = await handlerOf(handlers, ID).filter(error, 'payload', contextFor(), (failure) =>
    filterErrors.push(failure),
  );
  return { outcome, filterErrors };
}

const filter = (answer: ExceptionFilter['catch']): ExceptionFilter => ({ catch: answer });

@Catch(TypeError)
class TypeErrors implements ExceptionFilter {
  constructor(private readonly outcome: unknown) {}
  catch(): unknown {
    return this.outcome;
  }
}

describe('the answer of an exception filter', () => {
  it.each<[string, unknown]>([
    ['at once', SUCCEEDED],
    ['in a promise', Promise.resolve(SUCCEEDED)],
    ['in an Observable', of(SUCCEEDED)],
    ['as the last value of an Observable', from(['logged', SUCCEEDED])],
    ['in a promised Observable', Promise.resolve(of(SUCCEEDED))],
  ])('decides when it is an EventOutcome %s', async (_how, answer) => {
    expect(await rule({ onMethod: [filter(() => answer)] })).toEqual({
      outcome: SUCCEEDED,
      filterErrors: [],
    });
  });

  it.each<[string, unknown]>([
    ['nothing', undefined],
    ['null', null],
    ['an object', { statusCode: 200 }],
    ['what looks like an outcome', { decision: { kind: 'succeeded' } }],
    ['a promise of nothing', Promise.resolve()],
    ['an Observable of something', of('handled')],
    ['an empty Observable', EMPTY],
    ['an outcome that is not the last value', from([SUCCEEDED, undefined])],
  ])('decides nothing when it is %s', async (_what, answer) => {
    expect(await rule({ onMethod: [filter(() => answer)] })).toEqual({
      outcome: null,
      filterErrors: [],
    });
  });

  const broken = new Error('the filter is broken');

  it.each<[string, ExceptionFilter['catch']]>([
    [
      'throws',
      () => {
        throw broken;
      },
    ],
    ['rejects', () => Promise.reject(broken)],
    ['fails in its Observable', () => throwError(() => broken)],
    ['fails in its promised Observable', () => Promise.resolve(throwError(() => broken))],
  ])('decides nothing and is reported when the filter %s', async (_how, answer) => {
    expect(await rule({ onMethod: [filter(answer)] })).toEqual({
      outcome: null,
      filterErrors: [broken],
    });
  });

  it('is no failure of the filter when it throws the error on', async () => {
    const passOn = filter((error) => {
      throw error;
    });

    expect(await rule({ onMethod: [passOn] })).toEqual({ outcome: null, filterErrors: [] });
  });

  it('decides nothing from Nest’s own RPC filter', async () => {
    const { outcome } = await rule({ onMethod: [new BaseRpcExceptionFilter()] });

    expect(outcome).toBeNull();
  });
});

describe('which filter is asked', () => {
  const named = (kind: string) => new TypeErrors(EventOutcome.deadLetter(kind));
  const chosen = async (...args: Parameters<typeof rule>) => {
    const { outcome } = await rule(...args);
    return outcome?.decision.kind === 'dead-letter' ? outcome.decision.message : null;
  };

  it('is the method’s before the class’s before the global one', async () => {
    const [onMethod, onClass, global] = [[named('method')], [named('class')], named('global')];
    const options = { globalEnhancers: true };

    expect(await chosen({ onMethod, onClass, global }, ERROR, options)).toBe('method');
    expect(await chosen({ onClass, global }, ERROR, options)).toBe('class');
    expect(await chosen({ global }, ERROR, options)).toBe('global');
  });

  it('is no global one unless asked for', async () => {
    expect(await chosen({ global: named('global') })).toBeNull();
  });

  it('is the last of a list that catches the error, as in Nest', async () => {
    const any = filter(() => EventOutcome.deadLetter('any'));

    expect(await chosen({ onMethod: [any, named('type')] })).toBe('type');
    expect(await chosen({ onMethod: [any, named('type')] }, new Error('other'))).toBe('any');
    expect(await chosen({ onMethod: [named('type')] }, new Error('other'))).toBeNull();
  });

  it('is one alone: the class’s is not asked where the method’s decided nothing', async () => {
    const silent = filter(() => undefined);

    expect(await chosen({ onMethod: [silent], onClass: [named('class')] })).toBeNull();
  });
});

describe('a filter given as a class', () => {
  @Injectable()
  class Judge {
    readonly outcome = EventOutcome.retry(5);
  }
  @Catch(TypeError)
  class JudgeFilter implements ExceptionFilter {
    constructor(private readonly judge: Judge) {}
    catch(): EventOutcome {
      return this.judge.outcome;
    }
  }
  @UseFilters(JudgeFilter)
  class Handler {
    @EventHandler(OrderCreated)
    handle(_order: OrderCreated): void {
      throw ERROR;
    }
  }
  Injectable()(Handler);
  Controller()(Handler);

  it.each([
    ['a provider', { providers: [Handler, Judge] }],
    ['a controller', { controllers: [Handler], providers: [Judge] }],
  ])('is made by Nest with its dependencies for %s', async (_host, metadata) => {
    const handler = handlerOf(await findHandlers(metadata), ID);

    expect(handler.filter(ERROR, {}, contextFor(), () => undefined)).toEqual(EventOutcome.retry(5));
  });
});

describe('the host a filter is given', () => {
  it('is the rpc call with its payload, context, class and method', async () => {
    const seen: unknown[] = [];
    const look = filter((error: unknown, host: ArgumentsHost) => {
      const rpc = host.switchToRpc();
      const [payload, context] = host.getArgs<unknown[]>();
      seen.push(error, host.getType(), payload, context === rpc.getContext());
      seen.push(rpc.getData(), rpc.getContext<{ topic: string }>().topic);
    });

    await rule({ onMethod: [look] });

    expect(seen).toEqual([ERROR, 'rpc', 'payload', true, 'payload', 'orders']);
  });

  it('lets an HTTP filter fail without harm', async () => {
    const http = filter((_error, host: ArgumentsHost) => {
      host.switchToHttp().getResponse<{ status(code: number): void }>().status(500);
    });

    const { outcome, filterErrors } = await rule({ onMethod: [http] });

    expect(outcome).toBeNull();
    expect(filterErrors).toEqual([expect.objectContaining({ name: 'TypeError' })]);
  });
});
