import { Body, Controller, Post, ValidationPipe } from '@nestjs/common';
import { IsInt, IsPositive, IsString, Min } from 'class-validator';

import { CheckoutService, type PlacedOrder } from './checkout.service.js';

class PlaceOrder {
  @IsString() sku!: string;
  @IsInt() @IsPositive() quantity!: number;
  @IsInt() @Min(0) totalCents!: number;
  @IsString() paymentToken!: string;
}

@Controller('orders')
export class CheckoutController {
  constructor(private readonly checkout: CheckoutService) {}

  @Post()
  place(@Body(new ValidationPipe({ whitelist: true })) order: PlaceOrder): Promise<PlacedOrder> {
    return this.checkout.place(order);
  }
}
