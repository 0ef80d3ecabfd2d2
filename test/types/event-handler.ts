import { Ctx, Payload } from '@nestjs/microservices';
import { ParseIntPipe } from '@nestjs/common';
import { z } from 'zod';

import { EventContext } from '../../lib/consuming/event-context.js';
import { EventHandler } from '../../lib/consuming/event-handler.decorator.js';
import { defineEvent } from '../../lib/contracts/define-event.js';
import { DomainEvent } from '../../lib/contracts/domain-event.decorator.js';
import type { EventPayload, EventSource } from '../../lib/contracts/event-source.js';

@DomainEvent({ type: 'order.created', version: 1, topic: 'orders', key: 'orderId' })
class OrderCreated {
  orderId!: string;
  totalCents!: number;
  isLarge(): boolean {
    return this.totalCents > 100_000;
  }
}

@DomainEvent({ type: 'order.cancelled', version: 1, topic: 'orders', key: 'orderId' })
class OrderCancelled {
  orderId!: string;
  reason!: { text: string };
}

const OrderShipped = defineEvent({
  type: 'order.shipped',
  version: 1,
  topic: 'orders',
  key: 'orderId',
  schema: z.object({ orderId: z.string(), at: z.string().transform((text) => new Date(text)) }),
});
type OrderShipped = EventPayload<typeof OrderShipped>;

class Unrelated {
  colour!: symbol;
}

const ORDER_EVENTS = [OrderCreated, OrderCancelled] as const;
declare const someEvents: readonly EventSource[];

export class Legal {
  @EventHandler(OrderCreated)
  whole(@Payload() order: OrderCreated): unknown {
    return order;
  }

  @EventHandler(OrderCreated)
  async asynchronous(@Payload() order: OrderCreated, @Ctx() event: EventContext): Promise<void> {
    await event.publish(OrderCancelled, { orderId: order.orderId, reason: { text: '' } });
  }

  @EventHandler(OrderCreated, { concurrency: 4, retry: {} })
  contextFirst(@Ctx() event: EventContext, @Payload() order: OrderCreated): unknown {
    return [event, order];
  }

  @EventHandler(OrderCreated)
  nothing(): void {
    // A signal is enough for some.
  }

  @EventHandler(OrderCreated)
  contextOnly(@Ctx() event: EventContext): unknown {
    return event;
  }

  @EventHandler(OrderCreated)
  untyped(@Payload() order: unknown): unknown {
    return order;
  }

  @EventHandler(OrderCreated)
  wider(@Payload() order: { orderId: string }): unknown {
    return order;
  }

  @EventHandler(OrderCreated)
  optional(@Payload() order?: OrderCreated): unknown {
    return order;
  }

  @EventHandler(OrderCreated)
  property(@Payload('orderId') orderId: string): unknown {
    return orderId;
  }

  @EventHandler(OrderCreated)
  pipedProperty(@Payload('totalCents', new ParseIntPipe()) totalCents: number): unknown {
    return totalCents;
  }

  @EventHandler(OrderCancelled)
  objectProperty(@Payload('reason') reason: { text: string }): unknown {
    return reason;
  }

  @EventHandler(OrderCreated)
  beside(@Payload() order: OrderCreated, tenant: Unrelated): unknown {
    return [order, tenant];
  }

  @EventHandler(OrderShipped)
  schema(@Payload() order: OrderShipped): void {
    order.at.getTime();
  }

  @EventHandler([OrderCreated, OrderShipped])
  several(@Payload() order: OrderCreated | OrderShipped): unknown {
    return order;
  }

  @EventHandler(ORDER_EVENTS)
  listed(@Payload() order: OrderCreated | OrderCancelled): unknown {
    return order;
  }

  @EventHandler(someEvents)
  unknownList(@Payload() order: unknown): unknown {
    return order;
  }

  @EventHandler([OrderCreated, OrderCancelled])
  sharedProperty(@Payload('orderId') orderId: string): unknown {
    return orderId;
  }

  @EventHandler(OrderCreated, { id: 'first' })
  @EventHandler(OrderCancelled, { id: 'second' })
  repeated(@Payload() order: OrderCreated | OrderCancelled): unknown {
    return order;
  }

  @EventHandler(OrderCreated, { tombstones: true })
  tombstone(@Payload() order: OrderCreated | null): unknown {
    return order;
  }

  @EventHandler(OrderCreated, { tombstones: true })
  propertyOfTombstone(@Payload('orderId') orderId?: string): unknown {
    return orderId;
  }

  @EventHandler(OrderCreated)
  cautious(@Payload() order: OrderCreated | null): unknown {
    return order;
  }

  @EventHandler(OrderCreated, { tombstones: false })
  withoutTombstones(@Payload() order: OrderCreated): unknown {
    return order;
  }
}

export class Illegal {
  // @ts-expect-error another event's class
  @EventHandler(OrderCreated)
  otherEvent(@Payload() order: OrderCancelled): unknown {
    return order;
  }

  // @ts-expect-error nothing of the event is a symbol
  @EventHandler(OrderCreated)
  otherType(@Payload() order: Unrelated, @Ctx() event: EventContext): unknown {
    return [order, event];
  }

  // @ts-expect-error a property the event does not have, and a method is no data
  @EventHandler(OrderCreated)
  method(@Payload('isLarge') isLarge: () => boolean): unknown {
    return isLarge;
  }

  // @ts-expect-error handlers are given the schema's output, a Date
  @EventHandler(OrderShipped)
  input(@Payload() order: { orderId: string; at: string }): unknown {
    return order;
  }

  // @ts-expect-error one of the two events only
  @EventHandler([OrderCreated, OrderCancelled])
  oneOfTwo(@Payload() order: OrderCreated): unknown {
    return order;
  }

  // @ts-expect-error a property of one of the two events only
  @EventHandler([OrderCreated, OrderCancelled])
  propertyOfOne(@Payload('totalCents') totalCents: number): unknown {
    return totalCents;
  }

  // @ts-expect-error a tombstone is null
  @EventHandler(OrderCreated, { tombstones: true })
  tombstone(@Payload() order: OrderCreated): unknown {
    return order;
  }

  // @ts-expect-error a tombstone has no properties
  @EventHandler(OrderCreated, { tombstones: true })
  propertyOfTombstone(@Payload('orderId') orderId: string): unknown {
    return orderId;
  }

  // @ts-expect-error an option is misspelt
  @EventHandler(OrderCreated, { concurency: 4 })
  option(@Payload() order: OrderCreated): unknown {
    return order;
  }

  // @ts-expect-error no event at all
  @EventHandler('order.created.v1')
  text(@Payload() order: unknown): unknown {
    return order;
  }

  // @ts-expect-error only methods handle events
  @EventHandler(OrderCreated)
  readonly field: string = '';
}
