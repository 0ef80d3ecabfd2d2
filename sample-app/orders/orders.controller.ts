import { Body, Controller, Post, ValidationPipe } from '@nestjs/common';
import { IsInt, IsPositive, IsString, Min } from 'class-validator';

import { OrdersService } from './orders.service.js';

class PlaceOrder {
  @IsString() sku!: string;
  @IsInt() @IsPositive() quantity!: number;
  @IsInt() @Min(0) totalCents!: number;
  @IsString() paymentToken!: string;
}

@Controller('orders')
export class OrdersController {
  constructor(private readonly orders: OrdersService) {}

  @Post()
  async place(
    @Body(new ValidationPipe({ whitelist: true })) order: PlaceOrder,
  ): Promise<{ orderId: string }> {
    return { orderId: await this.orders.place(order) };
  }
}
