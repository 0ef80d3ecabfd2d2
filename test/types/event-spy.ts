import { z } from 'zod';

import { defineEvent } from '../../lib/contracts/define-event.js';
import { DomainEvent } from '../../lib/contracts/domain-event.decorator.js';
import type { DeadLetterReason } from '../../lib/failure/dead-letter-reason.js';
import type { EventSpy } from '../../lib/testing/event-spy.js';

@DomainEvent({ type: 'order.created', version: 1, topic: 'orders', key: 'orderId' })
class OrderCreated {
  orderId!: string;
}

const OrderShipped = defineEvent({
  type: 'order.shipped',
  version: 1,
  topic: 'orders',
  key: 'orderId',
  schema: z.object({ orderId: z.string(), at: z.string().transform((text) => new Date(text)) }),
});

declare const spy: EventSpy;

export async function legal(): Promise<void> {
  const handled = await spy.handled(OrderCreated, ({ orderId }, { attempt }) => {
    return orderId === 'o-1' && attempt === 1;
  });
  handled.payload satisfies OrderCreated;
  handled.handlerId satisfies string;

  // What a schema makes of the JSON, also of one that was published.
  const shipped = await spy.published(OrderShipped, ({ at }) => at.getTime() > 0);
  shipped.payload.at satisfies Date;

  const dead = await spy.deadLettered(OrderShipped, (payload) => payload?.orderId === 'o-1');
  dead.reason satisfies DeadLetterReason;
  dead.error satisfies Error;
  dead.handlerId satisfies string | null;

  (await spy.handledEvents(OrderCreated)) satisfies { readonly payload: OrderCreated }[];
  await spy.duplicate(OrderCreated, () => true, { timeoutMs: 100 });
}

export async function refused(): Promise<void> {
  // @ts-expect-error no such property
  await spy.handled(OrderCreated, ({ ordreId }) => ordreId === 'o-1');
  // @ts-expect-error poison may hold no payload
  await spy.deadLettered(OrderCreated, ({ orderId }) => orderId === 'o-1');
  // @ts-expect-error a publish has no attempts
  (await spy.published(OrderCreated)).attempt satisfies number;
  // @ts-expect-error a string is no event
  await spy.handled('order.created');
}
