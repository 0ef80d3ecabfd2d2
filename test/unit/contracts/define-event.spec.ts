import { describe, expect, it } from '@jest/globals';
import { z } from 'zod';

import { defineEvent } from '../../../lib/contracts/define-event.js';
import { contractOf } from '../../../lib/contracts/event-source.js';
import { InvalidDefinitionError } from '../../../lib/kafka-events.errors.js';
import { thrownBy } from '../../support/thrown-by.js';

const schema = z.object({
  orderId: z.string().transform((id) => id.toUpperCase()),
  at: z.iso.datetime().transform((text) => new Date(text)),
});
const OrderShipped = defineEvent({
  type: 'order.shipped',
  version: 1,
  topic: 'orders',
  key: (payload) => `${payload.orderId}@${payload.at.getTime()}`,
  schema,
});

describe('defineEvent', () => {
  it('gives the definition a contract', () => {
    expect(OrderShipped).toMatchObject({ type: 'order.shipped', version: 1, topic: 'orders' });
    expect(contractOf(OrderShipped)).toMatchObject({
      name: 'order.shipped.v1',
      eventType: 'order.shipped.v1',
      topic: 'orders',
    });
  });

  it('is frozen, contract and all', () => {
    expect(Object.isFrozen(OrderShipped)).toBe(true);
    expect(Object.isFrozen(contractOf(OrderShipped))).toBe(true);
  });

  it("validates, and keys by the schema's output", () => {
    const contract = contractOf(OrderShipped);
    const validated = contract.validate({ orderId: 'o-1', at: '1970-01-01T00:00:01Z' });
    expect(validated).toEqual({ valid: true, payload: { orderId: 'O-1', at: new Date(1000) } });
    expect(contract.keyOf({ orderId: 'O-1', at: new Date(1000) })).toBe('O-1@1000');
  });

  it('takes the name of a property as key', () => {
    const byName = defineEvent({ type: 'a', version: 1, topic: 't', key: 'orderId', schema });
    expect(contractOf(byName).keyOf({ orderId: 'O-1' })).toBe('O-1');
  });

  it('passes `match` on', () => {
    const match = () => true;
    const matching = defineEvent({
      type: 'a',
      version: 1,
      topic: 't',
      key: 'orderId',
      schema,
      match,
    });
    expect(contractOf(matching).match).toBe(match);
    expect(contractOf(OrderShipped)).not.toHaveProperty('match');
  });

  it('takes a schema that is a function', () => {
    const callable = Object.assign(() => undefined, { '~standard': schema['~standard'] });
    expect(() =>
      defineEvent({ type: 'a', version: 1, topic: 't', key: 'orderId', schema: callable }),
    ).not.toThrow();
  });

  it.each([[undefined], [null], [{}], [{ parse: () => 1 }], [{ '~standard': { version: 1 } }]])(
    'refuses %p as a schema',
    (notASchema) => {
      const untyped = defineEvent as (definition: unknown) => unknown;
      const error = thrownBy(() =>
        untyped({ type: 'a', version: 1, topic: 't', key: 'id', schema: notASchema }),
      );
      expect(error).toBeInstanceOf(InvalidDefinitionError);
      expect(error.message).toContain('schema: must be a Standard Schema');
    },
  );

  it('names all problems at once', () => {
    const untyped = defineEvent as (definition: unknown) => unknown;
    const error = thrownBy(() => untyped({ type: 'a.v1', version: 1, topic: '' }));
    expect(error.message.split('\n')).toEqual([
      'the event a.v1.v1 cannot be an event, 4 problem(s):',
      expect.stringContaining('- type:'),
      expect.stringContaining('- topic:'),
      expect.stringContaining('- key:'),
      expect.stringContaining('- schema:'),
    ]);
  });
});
