import { z } from 'zod';

import { defineEvent } from '../../lib/contracts/define-event.js';
import { DomainEvent } from '../../lib/contracts/domain-event.decorator.js';
import type { EventPayload, PublishPayload } from '../../lib/contracts/event-source.js';
import type { StandardSchema } from '../../lib/contracts/standard-schema.js';
import { event } from '../../lib/publishing/publish-options.js';

type IsAny<T> = 0 extends 1 & T ? true : false;
type Same<A, B> = [A, B, IsAny<A>] extends [B, A, IsAny<B>] ? true : false;
type Holds<Claim extends true> = Claim;

// A class: the key is one of its properties, or a function of it.

@DomainEvent({ type: 'order.created', version: 1, topic: 'orders', key: 'orderId' })
class OrderCreated {
  orderId!: string;
  totalCents!: number;
  note?: string;

  isLarge(): boolean {
    return this.totalCents > 100_000;
  }
}

@DomainEvent({ type: 'a', version: 1, topic: 't', key: 'sequence' })
export class KeyedByBigInt {
  readonly sequence!: bigint;
}

@DomainEvent({ type: 'a', version: 1, topic: 't', key: (e: KeyedByFunction) => e.order.id })
export class KeyedByFunction {
  order!: { id: number };
}

// @ts-expect-error the class has no such property
@DomainEvent({ type: 'a', version: 1, topic: 't', key: 'ordreId' })
export class MissingKey {
  orderId!: string;
}

// @ts-expect-error an object is no key
@DomainEvent({ type: 'a', version: 1, topic: 't', key: 'order' })
export class ObjectKey {
  order!: { id: string };
}

// @ts-expect-error a key that may be missing is no key
@DomainEvent({ type: 'a', version: 1, topic: 't', key: 'orderId' })
export class OptionalKey {
  orderId?: string;
}

// @ts-expect-error a key nobody else may read is no key
@DomainEvent({ type: 'a', version: 1, topic: 't', key: 'orderId' })
export class PrivateKey {
  private readonly orderId!: string;
}

// @ts-expect-error the function takes another event
@DomainEvent({ type: 'a', version: 1, topic: 't', key: (e: KeyedByFunction) => e.order.id })
export class OtherClassKey {
  orderId!: string;
}

// @ts-expect-error the function must give text or a number
@DomainEvent({ type: 'a', version: 1, topic: 't', key: (e: DateKey) => e.at })
export class DateKey {
  at!: Date;
}

// @ts-expect-error an abstract class has no instances to publish
@DomainEvent({ type: 'a', version: 1, topic: 't', key: 'orderId' })
export abstract class AbstractEvent {
  orderId!: string;
}

// @ts-expect-error the version is part of the definition
@DomainEvent({ type: 'a', topic: 't', key: 'orderId' })
export class Unversioned {
  orderId!: string;
}

export type ClassClaims = [
  Holds<Same<EventPayload<typeof OrderCreated>, OrderCreated>>,
  Holds<
    Same<
      PublishPayload<typeof OrderCreated>,
      { orderId: string; totalCents: number; note?: string }
    >
  >,
];

event(OrderCreated, { orderId: 'o-1', totalCents: 1 });
event(OrderCreated, new OrderCreated());
// @ts-expect-error a property is missing
event(OrderCreated, { orderId: 'o-1' });
// @ts-expect-error a property has another type
event(OrderCreated, { orderId: 'o-1', totalCents: '1' });
// @ts-expect-error a property is misspelt
event(OrderCreated, { orderId: 'o-1', totalCents: 1, nota: '' });

// A schema: its input is published, its output is handled and keyed by.

const shipped = z.object({
  orderId: z.string(),
  at: z.iso.datetime().transform((text) => new Date(text)),
  carrier: z.string().optional(),
  tags: z.array(z.string()).default([]),
});
const OrderShipped = defineEvent({
  type: 'order.shipped',
  version: 1,
  topic: 'orders',
  key: (payload) => `${payload.orderId}/${String(payload.at.getTime())}`,
  schema: shipped,
});

export type SchemaClaims = [
  Holds<Same<PublishPayload<typeof OrderShipped>, z.input<typeof shipped>>>,
  Holds<Same<EventPayload<typeof OrderShipped>, z.output<typeof shipped>>>,
  Holds<Same<PublishPayload<typeof OrderShipped>['at'], string>>,
  Holds<Same<EventPayload<typeof OrderShipped>['at'], Date>>,
];

event(OrderShipped, { orderId: 'o-1', at: '2025-01-01T00:00:00Z' });
// @ts-expect-error publish takes the schema's input, which is text
event(OrderShipped, { orderId: 'o-1', at: new Date() });

const base = { type: 'a', version: 1, topic: 't', schema: shipped };
defineEvent({ ...base, key: 'orderId' });
// @ts-expect-error the payload has no such property
defineEvent({ ...base, key: 'ordreId' });
// @ts-expect-error a Date is no key
defineEvent({ ...base, key: 'at' });
// @ts-expect-error a key that may be missing is no key
defineEvent({ ...base, key: 'carrier' });
// @ts-expect-error the function must give text or a number
defineEvent({ ...base, key: (payload) => payload.at });
// @ts-expect-error a schema says how to validate
defineEvent({ ...base, key: 'orderId', schema: { parse: () => ({ orderId: '' }) } });

const variants = defineEvent({
  type: 'payment',
  version: 1,
  topic: 'payments',
  key: 'id',
  schema: z.discriminatedUnion('kind', [
    z.object({ kind: z.literal('card'), id: z.string(), last4: z.string() }),
    z.object({ kind: z.literal('cash'), id: z.string() }),
  ]),
});
event(variants, { kind: 'cash', id: 'p-1' });
// @ts-expect-error a card has four last digits
event(variants, { kind: 'card', id: 'p-1' });

declare const custom: StandardSchema<{ readonly id: string }, { readonly id: number }>;
export const byCustomSchema = defineEvent({
  ...base,
  key: (payload) => payload.id.toFixed(),
  schema: custom,
});

export type CustomSchemaClaims = [
  Holds<Same<PublishPayload<typeof byCustomSchema>, { readonly id: string }>>,
  Holds<Same<EventPayload<typeof byCustomSchema>, { readonly id: number }>>,
  Holds<
    Same<
      EventPayload<typeof OrderCreated | typeof OrderShipped>,
      OrderCreated | z.output<typeof shipped>
    >
  >,
];

// Whatever is not an event is not taken for one.

// @ts-expect-error a schema alone is no event
event(shipped, { orderId: 'o-1', at: '' });
// @ts-expect-error an event type is no event
event('order.created.v1', {});
