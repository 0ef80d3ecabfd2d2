import 'reflect-metadata';

import { describe, expect, it, jest } from '@jest/globals';
import { Transform, Type } from 'class-transformer';
import {
  ArrayMinSize,
  IsArray,
  IsDate,
  IsInt,
  IsString,
  Min,
  registerDecorator,
  ValidateNested,
} from 'class-validator';

import { loadClassValidationPeers } from '../../../lib/contracts/class-validation-peers.js';
import { ClassValidation } from '../../../lib/contracts/class-validation.js';
import { isPromise } from '../../../lib/contracts/maybe-promise.js';
import { InvalidDefinitionError, MissingPeerError } from '../../../lib/kafka-events.errors.js';

class Line {
  @IsString() sku!: string;
  @IsInt() @Min(1) quantity!: number;
}

class OrderCreated {
  @IsString() orderId!: string;
  @IsDate() @Type(() => Date) at!: Date;
  @IsArray() @ArrayMinSize(1) @ValidateNested() @Type(() => Line) lines!: Line[];

  count(): number {
    return this.lines.length;
  }
}

const good = {
  orderId: 'o-1',
  at: '2025-01-01T00:00:00.000Z',
  lines: [{ sku: 'a', quantity: 1 }],
};

async function issuesOf(type: new () => object, value: unknown) {
  const result = await new ClassValidation(type).validate(value);
  return result.valid ? null : result.issues;
}

describe('ClassValidation', () => {
  it('makes an instance, nested ones too, and keeps what it does not know', async () => {
    const result = await new ClassValidation(OrderCreated).validate({
      ...good,
      added: { later: 1 },
    });
    if (!result.valid) throw new Error('invalid');
    expect(result.payload).toBeInstanceOf(OrderCreated);
    expect(result.payload.count()).toBe(1);
    expect(result.payload.at).toEqual(new Date('2025-01-01T00:00:00.000Z'));
    expect(result.payload.lines[0]).toBeInstanceOf(Line);
    expect(result.payload).toHaveProperty('added.later', 1);
  });

  it('takes an instance as well as an object', async () => {
    const given = Object.assign(new OrderCreated(), good);
    const result = await new ClassValidation(OrderCreated).validate(given);
    expect(result).toMatchObject({ valid: true, payload: { orderId: 'o-1' } });
    expect(given.at).toBe(good.at);
  });

  it('flattens what is wrong to paths', async () => {
    const wrong = { at: good.at, lines: [good.lines[0], { sku: 'b', quantity: 0.5 }] };
    expect(await issuesOf(OrderCreated, wrong)).toEqual([
      { path: 'orderId', message: 'orderId must be a string' },
      { path: 'lines.1.quantity', message: 'quantity must not be less than 1' },
      { path: 'lines.1.quantity', message: 'quantity must be an integer number' },
    ]);
  });

  it.each([[undefined], [null], ['{}'], [7], [true], [[good]]])('refuses %j', async (value) => {
    expect(await issuesOf(OrderCreated, value)).toEqual([
      { path: '', message: 'must be an object' },
    ]);
  });

  it('keeps values out of messages that ask for them', async () => {
    class Card {
      @IsInt({ message: 'got $value' }) card!: unknown;
    }
    expect(await issuesOf(Card, { card: '4111-1111' })).toEqual([
      { path: 'card', message: 'got …' },
    ]);
  });

  it('loads its peers once, then answers valid payloads at once', async () => {
    const load = jest.fn(loadClassValidationPeers);
    const validation = new ClassValidation(OrderCreated, load);
    expect(load).not.toHaveBeenCalled();
    const first = validation.validate(good);
    expect(isPromise(first)).toBe(true);
    await first;
    expect(validation.validate(good)).toMatchObject({ valid: true });
    expect(load).toHaveBeenCalledTimes(1);
  });

  it('judges payloads that arrive while the peers load', async () => {
    const validation = new ClassValidation(OrderCreated);
    const results = await Promise.all([validation.validate(good), validation.validate({})]);
    expect(results.map(({ valid }) => valid)).toEqual([true, false]);
  });

  it('says which peer is missing, and again the next time', async () => {
    const missing = new MissingPeerError('class-validator', 'Testing', null);
    const validation = new ClassValidation(OrderCreated, () => Promise.reject(missing));
    await expect(validation.prepare()).rejects.toBe(missing);
    await expect(validation.validate(good)).rejects.toBe(missing);
    await expect(validation.validate(good)).rejects.toBe(missing);
  });

  it('only transforms a class without rules', async () => {
    class Bare {
      @Type(() => Date) at!: Date;
    }
    const result = await new ClassValidation(Bare).validate({ at: '1970-01-01', more: true });
    expect(result).toEqual({ valid: true, payload: { at: new Date(0), more: true } });
  });

  it('applies the rules of a base class', async () => {
    class Rushed extends OrderCreated {}
    expect(await issuesOf(Rushed, { ...good, orderId: 1 })).toHaveLength(1);
    expect(await issuesOf(Rushed, good)).toBeNull();
  });

  it('refuses nested objects that no rule describes', async () => {
    class Untyped {
      @ValidateNested() line!: Line;
    }
    expect(await issuesOf(Untyped, { line: good.lines[0] })).toEqual([
      { path: 'line', message: expect.stringContaining('give it @Type(() => …)') },
    ]);
  });

  it('leaves the value as it is, discriminators included', async () => {
    abstract class Payment {
      kind!: string;
    }
    class Card extends Payment {
      @IsString() last4!: string;
    }
    class Paid {
      @ValidateNested()
      @Type(() => Payment, {
        discriminator: { property: 'kind', subTypes: [{ name: 'card', value: Card }] },
      })
      payment!: Payment;
    }
    const value = { payment: { kind: 'card', last4: '4242' } };
    const result = await new ClassValidation(Paid).validate(value);
    expect(result).toMatchObject({ valid: true, payload: { payment: { last4: '4242' } } });
    expect(value).toEqual({ payment: { kind: 'card', last4: '4242' } });
  });

  it('survives payloads made to confuse the transformation', async () => {
    const hostile: unknown = JSON.parse(
      '{"orderId": "o-1", "at": 0, "lines": [{"sku": "a", "quantity": 1}], "count": 7,' +
        ' "extra": {"constructor": "x", "__proto__": {"polluted": true}}}',
    );
    const result = await new ClassValidation(OrderCreated).validate(hostile);
    if (!result.valid) throw new Error('invalid');
    expect(result.payload.count()).toBe(1);
    expect(result.payload).toHaveProperty('extra', {});
    expect({}).not.toHaveProperty('polluted');
  });

  it('refuses what is nested without end', async () => {
    const deep: unknown = JSON.parse('[{"a":'.repeat(5000) + '1' + '}]'.repeat(5000));
    expect(await issuesOf(OrderCreated, { ...good, deep })).toEqual([
      { path: '', message: expect.stringContaining('levels deep') },
    ]);
  });

  it('counts a failing transformation against the payload, without its message', async () => {
    class Lowered {
      @Transform(({ value }: { value: string }) => value.toLowerCase()) @IsString() email!: string;
    }
    expect(await issuesOf(Lowered, { email: 'A@B' })).toBeNull();
    expect(await issuesOf(Lowered, { email: 5 })).toEqual([
      { path: '', message: 'cannot be turned into Lowered: TypeError in a transformation' },
    ]);
  });

  it('counts a class that cannot be constructed against the class', async () => {
    class Needy {
      @IsString() orderId: string;
      constructor(from?: { orderId: string }) {
        if (from === undefined) throw new Error('from what?');
        this.orderId = from.orderId;
      }
    }
    await expect(new ClassValidation(Needy).validate(good)).rejects.toBeInstanceOf(
      InvalidDefinitionError,
    );
  });

  it('throws the failure of a rule on, for it is not the payload that is at fault', async () => {
    class Failing {
      @Rule(() => {
        throw new Error('a bug');
      })
      orderId!: string;
    }
    await expect(new ClassValidation(Failing).validate(good)).rejects.toThrow('a bug');
  });

  it.each([true, false])('waits for asynchronous rules (declared: %p)', async (declared) => {
    const asked: unknown[] = [];
    class Remote {
      @Rule(async (value) => {
        asked.push(value);
        return value === 'known';
      }, declared)
      orderId!: string;
    }
    const validation = new ClassValidation(Remote);
    const isValid = async (orderId: string) => (await validation.validate({ orderId })).valid;

    // One that does not say it is asynchronous is found out once, and asked again.
    expect(await isValid('known')).toBe(true);
    expect(asked.splice(0)).toEqual(declared ? ['known'] : ['known', 'known']);
    expect([await isValid('other'), await isValid('known')]).toEqual([false, true]);
    expect(asked).toEqual(['other', 'known']);
  });

  it('hears an asynchronous rule fail once, as a rejection of its own', async () => {
    class Unreachable {
      @Rule(() => Promise.reject(new Error('no database'))) orderId!: string;
    }
    await expect(new ClassValidation(Unreachable).validate(good)).rejects.toThrow('no database');
  });
});

function Rule(
  validate: (value: unknown) => boolean | Promise<boolean>,
  async = false,
): PropertyDecorator {
  return (target, propertyName) => {
    registerDecorator({
      name: 'rule',
      target: target.constructor,
      propertyName: String(propertyName),
      async,
      validator: { validate },
    });
  };
}
