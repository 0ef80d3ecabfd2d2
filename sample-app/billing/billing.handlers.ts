import { Injectable } from '@nestjs/common';
import { Payload } from '@nestjs/microservices';
import { EventHandler } from 'nestjs-kafka-events';

import { OrderCreated } from '../orders/order-created.event.js';
import { PaymentGateway } from './payment-gateway.js';

@Injectable()
export class BillingHandlers {
  constructor(private readonly gateway: PaymentGateway) {}

  /** A charge that fails is tried four times, then the order waits in `orders.dlq`. */
  @EventHandler(OrderCreated, { retry: { attempts: 4, initialDelayMs: 50 } })
  async chargeCustomer(@Payload() order: OrderCreated): Promise<void> {
    await this.gateway.charge(order.orderId, order.totalCents, order.paymentToken);
  }
}
