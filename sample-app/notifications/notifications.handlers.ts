import { Injectable } from '@nestjs/common';
import { Payload } from '@nestjs/microservices';
import { EventHandler, type EventPayload } from 'nestjs-kafka-events';

import { StockReserved } from '../inventory/stock-reserved.event.js';
import { Outbox } from './outbox.js';

@Injectable()
export class NotificationsHandlers {
  constructor(private readonly outbox: Outbox) {}

  @EventHandler(StockReserved)
  confirm(@Payload() reserved: EventPayload<typeof StockReserved>): void {
    this.outbox.sendConfirmation(reserved.orderId);
  }
}
