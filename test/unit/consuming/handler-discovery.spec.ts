import { describe, expect, it } from '@jest/globals';
import {
  Catch,
  Controller,
  Inject,
  Injectable,
  Module,
  Scope,
  UseFilters,
  UseGuards,
  type CanActivate,
  type ExceptionFilter,
  type ModuleMetadata,
} from '@nestjs/common';
import { REQUEST } from '@nestjs/core';

import { EventHandler } from '../../../lib/consuming/event-handler.decorator.js';
import { DomainEvent } from '../../../lib/contracts/domain-event.decorator.js';
import type { InvalidHandlerError } from '../../../lib/kafka-events.errors.js';
import { call, findHandlers, type FindOptions } from '../../support/nest-handlers.js';
import { OrderCreated, OrderShipped, StockReserved } from '../../support/shop-events.js';

@Injectable()
class Handler {
  @EventHandler(OrderCreated)
  handle(_order: OrderCreated): string {
    return this.constructor.name;
  }
}

@Injectable()
class AllowGuard implements CanActivate {
  canActivate(): boolean {
    return true;
  }
}

const ids = async (metadata: ModuleMetadata) => Object.keys(await findHandlers(metadata)).sort();

async function problemsOf(
  metadata: ModuleMetadata,
  options: FindOptions = {},
): Promise<readonly string[]> {
  try {
    await findHandlers(metadata, options);
  } catch (error) {
    expect(error).toMatchObject({ code: 'INVALID_HANDLER' });
    return (error as InvalidHandlerError).problems;
  }
  throw new Error('The handlers were expected to be refused');
}

describe('handlers are found', () => {
  it('on providers and controllers of any module', async () => {
    @Controller()
    class OrdersController {
      @EventHandler(OrderCreated)
      handle(_order: OrderCreated): void {
        return undefined;
      }
    }
    @Module({ providers: [Handler], controllers: [OrdersController] })
    class OrdersModule {}

    expect(await ids({ imports: [OrdersModule] })).toEqual([
      'Handler.handle',
      'OrdersController.handle',
    ]);
  });

  it('on instances from useClass, useValue and useFactory', async () => {
    class A extends Handler {}
    class B extends Handler {}
    class C extends Handler {}
    const handlers = await findHandlers({
      providers: [
        { provide: 'a', useClass: A },
        { provide: 'b', useValue: new B() },
        { provide: 'c', useFactory: () => Promise.resolve(new C()) },
      ],
    });

    expect(await call(handlers, 'A.handle')).toBe('A');
    expect(await call(handlers, 'B.handle')).toBe('B');
    expect(await call(handlers, 'C.handle')).toBe('C');
  });

  it('once, however many tokens an instance has', async () => {
    @UseGuards(AllowGuard)
    @Injectable()
    class Guarded extends Handler {}
    @Module({ providers: [Guarded], exports: [Guarded] })
    class OrdersModule {}
    // These come first, in a module that has no instance of the guard.
    const providers = [
      { provide: 'same', useFactory: (handler: Guarded) => handler, inject: [Guarded] },
      { provide: 'alias', useExisting: Guarded },
    ];

    expect(await ids({ imports: [OrdersModule], providers })).toEqual(['Guarded.handle']);
  });

  it('in subclasses, unless overridden without the decorator', async () => {
    @Injectable()
    class Inherits extends Handler {}
    @Injectable()
    class Overrides extends Handler {
      override handle(): string {
        return 'not a handler';
      }
    }

    expect(await ids({ providers: [Inherits, Overrides] })).toEqual(['Inherits.handle']);
  });

  it('with several events on one method, several methods on one event, and ids of their own', async () => {
    @Injectable()
    class Many {
      @EventHandler([OrderCreated, OrderShipped])
      both(_order: OrderCreated | OrderShipped): void {
        return undefined;
      }
      @EventHandler(OrderCreated)
      again(_order: OrderCreated): void {
        return undefined;
      }
      @EventHandler(OrderCreated, { id: 'first' })
      @EventHandler(OrderShipped, { id: 'second', groupId: 'other' })
      twice(_order: OrderCreated | OrderShipped): void {
        return undefined;
      }
    }

    const handlers = await findHandlers({ providers: [Many] });

    const types = Object.entries(handlers).map(([id, { contracts }]) => [
      id,
      ...contracts.map(({ eventType }) => eventType),
    ]);
    expect(types).toEqual([
      ['Many.both', 'order.created.v1', 'order.shipped.v1'],
      ['Many.again', 'order.created.v1'],
      ['first', 'order.created.v1'],
      ['second', 'order.shipped.v1'],
    ]);
    expect(handlers.second?.settings.groupId).toBe('other');
  });

  it('beside providers that are anything at all', async () => {
    const nothing: unknown = Object.create(null);
    const providers = [undefined, null, 1, 'text', nothing, Handler, () => 1].map(
      (useValue, i) => ({
        provide: `value ${String(i)}`,
        useValue,
      }),
    );

    expect(await ids({ providers })).toEqual([]);
  });
});

describe('a host that is not a singleton fails the boot', () => {
  @Injectable({ scope: Scope.REQUEST })
  class Tenant {}
  @Injectable()
  class Orders {
    constructor(readonly tenant: Tenant) {}
  }
  @Injectable()
  class TenantGuard implements CanActivate {
    constructor(@Inject(REQUEST) readonly request: unknown) {}
    canActivate(): boolean {
      return true;
    }
  }
  const singletons = 'make it and all it depends on singletons';

  it('when it is request-scoped or transient itself', async () => {
    @Injectable({ scope: Scope.REQUEST })
    class PerRequest extends Handler {}
    @Injectable({ scope: Scope.TRANSIENT })
    class Transient extends Handler {}

    const problems = await problemsOf({ providers: [PerRequest, Transient] });

    expect(problems).toEqual([
      expect.stringContaining('PerRequest.handle (AppModule): PerRequest is request-scoped'),
      expect.stringContaining('Transient.handle (AppModule): Transient is transient'),
    ]);
    expect(problems[0]).toContain(singletons);
  });

  it('when a dependency is, and names the way to it', async () => {
    @Injectable()
    class NeedsTenant extends Handler {
      constructor(readonly orders: Orders) {
        super();
      }
    }

    expect(await problemsOf({ providers: [NeedsTenant, Orders, Tenant] })).toEqual([
      expect.stringContaining('NeedsTenant depends on something request-scoped (Orders -> Tenant)'),
    ]);
  });

  it('when a guard is, on a provider and on a controller', async () => {
    @UseGuards(TenantGuard)
    class Guarded extends Handler {}
    Injectable()(Guarded);
    const expected = [
      expect.stringContaining(
        'Guarded depends on something request-scoped (TenantGuard -> REQUEST)',
      ),
    ];

    expect(await problemsOf({ providers: [Guarded] })).toEqual(expected);
    Controller()(Guarded);
    expect(await problemsOf({ controllers: [Guarded] })).toEqual(expected);
  });
});

describe('an enhancer that Nest would leave out fails the boot', () => {
  @Injectable()
  class NeverGuard implements CanActivate {
    canActivate(): boolean {
      return false;
    }
  }
  class Guarded extends Handler {
    readonly isBound = true;

    @UseGuards(NeverGuard)
    @EventHandler(OrderCreated)
    override handle(_order: OrderCreated): string {
      return 'unguarded';
    }
  }

  it.each([
    ['useValue', { provide: Guarded, useValue: new Guarded() }],
    ['useFactory', { provide: Guarded, useFactory: () => new Guarded() }],
  ])('a guard class on a host from %s', async (_how, provider) => {
    expect(await problemsOf({ providers: [provider] })).toEqual([
      'Guarded.handle (AppModule): its guard NeverGuard would never run, because Nest did not ' +
        'construct the host from its class; provide the host with useClass, or give the decorator ' +
        'an instance of NeverGuard',
    ]);
  });

  it('a guard on a method that the constructor bound', async () => {
    class Bound extends Guarded {
      constructor() {
        super();
        this.handle = this.handle.bind(this);
      }
    }

    expect(await problemsOf({ providers: [Bound] })).toEqual([
      expect.stringContaining('Bound.handle (AppModule): its guards would never run'),
    ]);
  });

  it('a transient filter', async () => {
    @Catch()
    @Injectable({ scope: Scope.TRANSIENT })
    class TransientFilter implements ExceptionFilter {
      catch(): void {
        return undefined;
      }
    }
    @UseFilters(TransientFilter)
    class Filtered extends Handler {}

    expect(await problemsOf({ providers: [Filtered] })).toEqual([
      'Filtered.handle (AppModule): its filter TransientFilter is transient; make it a singleton',
    ]);
  });
});

describe('handlers that contradict each other fail the boot', () => {
  it('when one method has two decorators without ids', async () => {
    @Injectable()
    class Twice {
      @EventHandler(OrderCreated)
      @EventHandler(OrderShipped)
      handle(_order: OrderCreated | OrderShipped): void {
        return undefined;
      }
    }

    expect(await problemsOf({ providers: [Twice] })).toEqual([
      expect.stringMatching(/^Twice\.handle: .* has 2 handlers .* give each decorator its own id/),
    ]);
  });

  it('when one has the former id of another', async () => {
    @Injectable()
    class Renamed {
      @EventHandler(OrderCreated, { id: 'stock', aliases: ['Handler.handle'] })
      handle(_order: OrderCreated): void {
        return undefined;
      }
    }

    expect(await problemsOf({ providers: [Handler, Renamed] })).toEqual([
      expect.stringMatching(/^Handler\.handle: is the id of Handler\.handle .* and of Renamed/),
    ]);
  });

  it('when one class is provided by two modules', async () => {
    @Module({ providers: [Handler] })
    class One {}
    @Module({ providers: [Handler] })
    class Two {}

    expect(await problemsOf({ imports: [One, Two] })).toEqual([
      expect.stringMatching(
        /^Handler\.handle: is the id of Handler\.handle \(One\) and of Handler\.handle \(Two\)/,
      ),
    ]);
  });

  it('when they order one topic differently in one group, but not in two', async () => {
    @Injectable()
    class Mixed {
      @EventHandler(OrderCreated, { ordering: 'none' })
      none(_order: OrderCreated): void {
        return undefined;
      }
      @EventHandler(OrderShipped)
      byKey(_order: OrderShipped): void {
        return undefined;
      }
      @EventHandler(OrderShipped, { ordering: 'partition', groupId: 'other' })
      elsewhere(_order: OrderShipped): void {
        return undefined;
      }
      @EventHandler(StockReserved, { ordering: 'partition' })
      otherTopic(_stock: StockReserved): void {
        return undefined;
      }
    }

    expect(await problemsOf({ providers: [Mixed] })).toEqual([
      `topic "orders" in group "shop": its handlers differ in ordering: 'none' (Mixed.none) and ` +
        `'key' (Mixed.byKey); use one, or another groupId`,
    ]);
    const all = { topicName: () => 'all' };
    expect(await problemsOf({ providers: [Mixed] }, all)).toEqual([
      expect.stringContaining(`'partition' (Mixed.otherTopic)`),
    ]);
  });

  it('when two definitions claim one event type of a topic', async () => {
    @DomainEvent({ type: 'order.created', version: 1, topic: 'orders', key: 'id' })
    class OrderMade {
      id!: string;
    }
    @Injectable()
    class Other {
      @EventHandler(OrderMade)
      handle(_order: OrderMade): void {
        return undefined;
      }
    }

    expect(await problemsOf({ providers: [Handler, Other] })).toEqual([
      'topic "orders" in group "shop": order.created.v1 is defined 2 times, by OrderCreated and ' +
        'OrderMade; handle it by one definition',
    ]);
  });
});

describe('handlers that cannot be resolved fail the boot', () => {
  it('without a consumer group anywhere', async () => {
    const none = { defaultGroupId: null };

    expect(await problemsOf({ providers: [Handler] }, none)).toEqual([
      expect.stringContaining('Handler.handle (AppModule): has no consumer group'),
    ]);
    const handlerOverrides = { 'Handler.handle': { groupId: 'g' } };
    expect(
      await findHandlers({ providers: [Handler] }, { ...none, handlerOverrides }),
    ).toHaveProperty(['Handler.handle']);
  });

  it('when an override names no handler', async () => {
    const handlerOverrides = { 'Handler.handel': { concurrency: 1 } };

    expect(await problemsOf({ providers: [Handler] }, { handlerOverrides })).toEqual([
      "handlers['Handler.handel'] in the module's options: there is no such handler; there are " +
        'Handler.handle',
    ]);
  });

  it('when a class is not an event', async () => {
    class NotAnEvent {
      orderId = '';
    }
    @Injectable()
    class Wrong {
      @EventHandler(NotAnEvent)
      handle(_event: NotAnEvent): void {
        return undefined;
      }
    }

    expect(await problemsOf({ providers: [Wrong] })).toEqual([
      expect.stringContaining('Wrong.handle (AppModule): class NotAnEvent is not an event'),
    ]);
  });

  it('when one event is named twice', async () => {
    @Injectable()
    class Repeats {
      @EventHandler([OrderCreated, OrderCreated])
      handle(_order: OrderCreated): void {
        return undefined;
      }
    }

    expect(await problemsOf({ providers: [Repeats] })).toEqual([
      'Repeats.handle (AppModule): names an event twice',
    ]);
  });

  it('all at once, so that one boot shows everything', async () => {
    @Injectable({ scope: Scope.TRANSIENT })
    class Transient extends Handler {}

    const problems = await problemsOf(
      { providers: [Handler, Transient] },
      { defaultGroupId: null, handlerOverrides: { typo: {} } },
    );

    expect(problems).toHaveLength(3);
  });
});
