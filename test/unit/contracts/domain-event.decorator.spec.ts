import { describe, expect, it } from '@jest/globals';

import { DomainEvent } from '../../../lib/contracts/domain-event.decorator.js';
import { CONTRACT, contractOf, type EventSource } from '../../../lib/contracts/event-source.js';
import { InvalidDefinitionError } from '../../../lib/kafka-events.errors.js';
import type { InRecord } from '../../../lib/kafka/records.js';
import { thrownBy } from '../../support/thrown-by.js';

@DomainEvent({ type: 'order.created', version: 2, topic: 'orders', key: 'orderId' })
class OrderCreated {
  orderId!: string;
}

class RushOrderCreated extends OrderCreated {}

class Undecorated {
  orderId!: string;
}

const legal = { type: 'order.created', version: 1, topic: 'orders', key: 'orderId' } as const;

describe('@DomainEvent', () => {
  it('gives the class a contract', () => {
    expect(contractOf(OrderCreated)).toMatchObject({
      name: 'OrderCreated',
      type: 'order.created',
      version: 2,
      eventType: 'order.created.v2',
      topic: 'orders',
    });
    expect(contractOf(OrderCreated).keyOf({ orderId: 'o-1' })).toBe('o-1');
  });

  it('hands a key function the payload', () => {
    @DomainEvent({ ...legal, key: (event: Composed) => `${event.tenant}/${event.orderId}` })
    class Composed {
      tenant!: string;
      orderId!: string;
    }
    expect(contractOf(Composed).keyOf({ tenant: 't', orderId: 'o' })).toBe('t/o');
  });

  it('passes `match` on, and leaves it out where there is none', () => {
    const match = (record: InRecord) => record.offset === 1n;
    @DomainEvent({ ...legal, match })
    class Matching {
      orderId!: string;
    }
    expect(contractOf(Matching).match).toBe(match);
    expect(contractOf(OrderCreated)).not.toHaveProperty('match');
  });

  it('stays out of sight and out of reach', () => {
    expect(Object.keys(OrderCreated)).toEqual([]);
    expect(Object.getOwnPropertyDescriptor(OrderCreated, CONTRACT)).toMatchObject({
      enumerable: false,
      writable: false,
      configurable: false,
    });
    expect(Object.isFrozen(contractOf(OrderCreated))).toBe(true);
  });

  it('does not make events of subclasses', () => {
    expect(() => contractOf(RushOrderCreated)).toThrow('class RushOrderCreated is not an event');
  });

  it('lets a subclass be another event', () => {
    @DomainEvent({ ...legal, type: 'order.rushed' })
    class OrderRushed extends OrderCreated {}
    expect(contractOf(OrderRushed).eventType).toBe('order.rushed.v1');
    expect(contractOf(OrderCreated).eventType).toBe('order.created.v2');
  });

  it('refuses a class that is an event already', () => {
    expect(() => {
      DomainEvent(legal)(OrderCreated);
    }).toThrow('class OrderCreated is decorated with @DomainEvent twice');
  });

  it.each([
    [{ type: '' }, 'type: must be a name'],
    [{ type: '  ' }, 'type: must be a name'],
    [{ type: 'order.created.v1' }, 'type: "order.created.v1" must not end in a version'],
    [{ version: 0 }, 'version: must be a positive integer'],
    [{ version: 1.5 }, 'version: must be a positive integer'],
    [{ version: Number.NaN }, 'version: must be a positive integer'],
    [{ topic: '' }, 'topic: must be'],
    [{ topic: '.' }, 'topic: must be'],
    [{ topic: '..' }, 'topic: must be'],
    [{ topic: 'orders/eu' }, 'topic: must be'],
    [{ topic: 'orders\n' }, 'topic: must be'],
    [{ topic: 'o'.repeat(250) }, 'topic: must be'],
    [{ key: '' }, 'key: must name a property'],
  ])('refuses %j', (wrong, problem) => {
    expect(() => {
      DomainEvent<string>({ ...legal, ...wrong })(Undecorated as never);
    }).toThrow(problem);
  });

  it.each(['a', 'A.b_c-9', '...', 'o'.repeat(249)])('takes the topic %s', (topic) => {
    @DomainEvent({ ...legal, topic })
    class Legal {
      orderId!: string;
    }
    expect(contractOf(Legal).topic).toBe(topic);
  });

  it('takes a type that merely contains a version', () => {
    @DomainEvent({ ...legal, type: 'order.v2.created' })
    class Legal {
      orderId!: string;
    }
    expect(contractOf(Legal).eventType).toBe('order.v2.created.v1');
  });

  it('names all problems at once, of callers without types too', () => {
    const untyped = DomainEvent as (definition: unknown) => (target: unknown) => void;
    const error = thrownBy(() => {
      untyped({ type: 7, topic: 'a b' })(Undecorated);
    });
    expect(error).toBeInstanceOf(InvalidDefinitionError);
    expect(error.message.split('\n')).toEqual([
      'class Undecorated cannot be an event, 4 problem(s):',
      expect.stringContaining('- type:'),
      expect.stringContaining('- version:'),
      expect.stringContaining('- topic:'),
      expect.stringContaining('- key:'),
    ]);
  });
});

describe('contractOf', () => {
  it.each<[unknown, string]>([
    [Undecorated, 'class Undecorated is not an event'],
    [{}, 'a value of type object is not an event'],
    ['order.created.v1', 'a value of type string is not an event'],
    [null, 'a value of type object is not an event'],
    [undefined, 'undefined (two files importing each other?) is not an event'],
  ])('refuses %p', (source, message) => {
    const error = thrownBy(() => contractOf(source as EventSource));
    expect(error).toBeInstanceOf(InvalidDefinitionError);
    expect(error.message).toContain(message);
  });
});
