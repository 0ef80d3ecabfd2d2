import { IsIn, IsString } from 'class-validator';
import { z } from 'zod';
import { defineEvent, DomainEvent } from '../../lib/index.js';
import { FATES, type Fate } from './fate.js';

@DomainEvent({ type: 'order.placed', version: 1, topic: 'orders', key: 'orderId' })
export class OrderPlaced {
  @IsString() orderId!: string;
  @IsIn(Object.keys(FATES)) fate!: Fate;
}

/** What a producer that breaks the contract writes. */
export const MalformedOrderPlaced = defineEvent({
  type: 'order.placed',
  version: 1,
  topic: 'orders',
  key: 'orderId',
  schema: z.object({ orderId: z.string() }),
});

/** What a producer writes that was deployed before its consumers. */
export const OrderPlacedTooSoon = defineEvent({
  type: 'order.placed',
  version: 2,
  topic: 'orders',
  key: 'orderId',
  schema: z.object({ orderId: z.string() }),
});
