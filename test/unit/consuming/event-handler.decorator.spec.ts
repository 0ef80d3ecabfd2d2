import 'reflect-metadata';

import { describe, expect, it } from '@jest/globals';

import { EventHandler } from '../../../lib/consuming/event-handler.decorator.js';
import { readEventHandlers } from '../../../lib/consuming/handler-metadata.js';
import { InvalidHandlerError } from '../../../lib/kafka-events.errors.js';
import { OrderCreated, OrderShipped } from '../../support/shop-events.js';
import { thrownBy } from '../../support/thrown-by.js';

class Orders {
  @EventHandler(OrderCreated)
  plain(order: OrderCreated): unknown {
    return order;
  }

  @EventHandler([OrderCreated, OrderShipped], { id: 'both', concurrency: 4 })
  several(order: OrderCreated | OrderShipped): unknown {
    return order;
  }

  @EventHandler(OrderCreated, { id: 'upper' })
  @EventHandler(OrderShipped, { id: 'lower' })
  repeated(order: OrderCreated | OrderShipped): unknown {
    return order;
  }

  undecorated(): void {
    // Handles nothing.
  }
}

class SpecialOrders extends Orders {
  override plain(order: OrderCreated): unknown {
    return super.plain(order);
  }

  @EventHandler(OrderShipped, { id: 'own' })
  override several(order: OrderCreated | OrderShipped): unknown {
    return super.several(order);
  }
}

describe('@EventHandler', () => {
  it('tells of a method what it handles', () => {
    expect(readEventHandlers(Orders.prototype.plain)).toEqual([
      { kind: 'record', sources: [OrderCreated], options: {} },
    ]);
    expect(readEventHandlers(Orders.prototype.several)).toEqual([
      {
        kind: 'record',
        sources: [OrderCreated, OrderShipped],
        options: { id: 'both', concurrency: 4 },
      },
    ]);
  });

  it('may be repeated, and is read in the order it is written', () => {
    const ids = readEventHandlers(Orders.prototype.repeated).map(({ options }) => options.id);
    expect(ids).toEqual(['upper', 'lower']);
  });

  it.each([[Orders.prototype.undecorated], [undefined], [null], [{}], ['plain']])(
    'tells of anything else, %p, that it handles nothing',
    (value) => {
      expect(readEventHandlers(value)).toEqual([]);
    },
  );

  it('is inherited with the method, and neither with an override nor from what it overrides', () => {
    const { plain, several, repeated } = SpecialOrders.prototype;
    expect(readEventHandlers(repeated)).toHaveLength(2);
    expect(readEventHandlers(plain)).toEqual([]);
    expect(readEventHandlers(several)).toEqual([
      { kind: 'record', sources: [OrderShipped], options: { id: 'own' } },
    ]);
    expect(readEventHandlers(Orders.prototype.several)).toHaveLength(1);
  });

  it('survives a decorator that wraps the method as Nest asks wrappers to', () => {
    class Wrapped {
      @Wrap
      @EventHandler(OrderCreated)
      handle(order: OrderCreated): unknown {
        return order;
      }
    }
    expect(readEventHandlers(Wrapped.prototype.handle)).toHaveLength(1);
  });

  it('leaves the caller its list of events', () => {
    const sources = [OrderCreated];
    class Listed {
      @EventHandler(sources)
      handle(order: OrderCreated): unknown {
        return order;
      }
    }
    sources.pop();
    expect(readEventHandlers(Listed.prototype.handle)[0]?.sources).toEqual([OrderCreated]);
    expect(() => sources.push(OrderCreated)).not.toThrow();
  });

  it('adds nothing that loops over the method could see', () => {
    expect(Reflect.ownKeys(Orders.prototype.plain).sort()).toEqual(['length', 'name']);
  });

  it('refuses to handle no event', () => {
    const error = thrownBy(() => {
      class Idle {
        @EventHandler([])
        handle(order: unknown): unknown {
          return order;
        }
      }
      return Idle;
    });
    expect(error).toBeInstanceOf(InvalidHandlerError);
    expect(error.message).toContain('Idle.handle: @EventHandler names no event');
  });

  it('refuses what is not a method', () => {
    const untyped = EventHandler(OrderCreated) as (...args: unknown[]) => void;
    const getter = { get: () => 1 };
    expect(() => {
      untyped(Orders.prototype, 'total', getter);
    }).toThrow('Orders.total: @EventHandler belongs on a method');
    expect(() => {
      untyped(Orders.prototype, 'field', undefined);
    }).toThrow('Orders.field: @EventHandler belongs on a method');
  });
});

function Wrap(
  _target: object,
  _name: string,
  descriptor: TypedPropertyDescriptor<(order: OrderCreated) => unknown>,
): void {
  const inner = descriptor.value;
  if (inner === undefined) return;
  const wrapper = function (this: unknown, order: OrderCreated): unknown {
    return inner.call(this, order);
  };
  for (const key of Reflect.getMetadataKeys(inner) as unknown[]) {
    Reflect.defineMetadata(key, Reflect.getMetadata(key, inner), wrapper);
  }
  descriptor.value = wrapper;
}
