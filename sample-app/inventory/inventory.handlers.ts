import { Injectable } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import { EventContext, EventHandler } from 'nestjs-kafka-events';

import { OrderCreated } from '../orders/order-created.event.js';
import { StockLedger } from './stock-ledger.js';
import { StockReserved } from './stock-reserved.event.js';

@Injectable()
export class InventoryHandlers {
  constructor(private readonly ledger: StockLedger) {}

  @EventHandler(OrderCreated)
  async reserveStock(@Payload() order: OrderCreated, @Ctx() event: EventContext): Promise<void> {
    const { orderId, sku, quantity } = order;
    // What may fail comes first. Another attempt publishes under the same event id, so that consumers
    // drop the second one, but a reservation made before the failure would be made again.
    await event.publish(StockReserved, { orderId, sku, quantity });
    this.ledger.reserve({ orderId, sku, quantity });
  }
}
