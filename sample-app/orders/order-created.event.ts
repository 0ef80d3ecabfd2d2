import { IsIn, IsInt, IsOptional, IsPositive, IsString, IsUUID, Min } from 'class-validator';
import { DomainEvent } from 'nestjs-kafka-events';

/** A customer has placed an order. */
@DomainEvent({ type: 'order.created', version: 1, topic: 'orders', key: 'orderId' })
export class OrderCreated {
  @IsUUID() orderId!: string;
  @IsString() sku!: string;
  @IsInt() @IsPositive() quantity!: number;
  @IsInt() @Min(0) totalCents!: number;
  /** What the payment gateway knows the card by. */
  @IsString() paymentToken!: string;
  /** Who said that there is enough; `nobody`: it is sold subject to stock. */
  @IsOptional() @IsIn(['service', 'view', 'nobody']) checkedWith?: 'service' | 'view' | 'nobody';
}
