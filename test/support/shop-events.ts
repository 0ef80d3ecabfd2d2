import { IsString } from 'class-validator';

import { DomainEvent } from '../../lib/contracts/domain-event.decorator.js';

/** Events for tests that need some. */
@DomainEvent({ type: 'order.created', version: 1, topic: 'orders', key: 'orderId' })
export class OrderCreated {
  @IsString() orderId!: string;
}

@DomainEvent({ type: 'order.shipped', version: 1, topic: 'orders', key: 'orderId' })
export class OrderShipped {
  @IsString() orderId!: string;
}

@DomainEvent({ type: 'stock.reserved', version: 1, topic: 'stock', key: 'sku' })
export class StockReserved {
  @IsString() sku!: string;
}
