import { randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { EventPublisher } from 'nestjs-kafka-events';

import { OrderCreated } from './order-created.event.js';

export type NewOrder = Omit<OrderCreated, 'orderId'>;

@Injectable()
export class OrdersService {
  constructor(private readonly events: EventPublisher) {}

  /** Answers the order's id once the broker has the event: from then on it cannot be lost. */
  async place(order: NewOrder): Promise<string> {
    const orderId = randomUUID();
    await this.events.publish(OrderCreated, { ...order, orderId });
    return orderId;
  }
}
