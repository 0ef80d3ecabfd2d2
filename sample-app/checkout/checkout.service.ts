import {
  ConflictException,
  Injectable,
  NotFoundException,
  ServiceUnavailableException,
} from '@nestjs/common';
import { HybridRouter, SyncCallError } from 'nestjs-kafka-events';

import { OrdersService, type NewOrder } from '../orders/orders.service.js';
import { checkStock } from './stock.client.js';

/** Above that age the shop’s own copy of the stock is no basis for a promise. */
export const STOCK_MAY_BE_MS = 5_000;

export interface PlacedOrder {
  readonly orderId: string;
  readonly checkedWith: NonNullable<NewOrder['checkedWith']>;
}

/** Sells what there is; where nobody can tell, it takes the order all the same, subject to stock. */
@Injectable()
export class CheckoutService {
  constructor(
    private readonly router: HybridRouter,
    private readonly orders: OrdersService,
  ) {}

  /**
   * @throws NotFoundException for a product that there is not, ConflictException for one that has run out,
   *   ServiceUnavailableException for one of which nobody knows anything.
   */
  async place(order: Omit<NewOrder, 'checkedWith'>): Promise<PlacedOrder> {
    const checkedWith = await this.checkStock(order);
    const orderId = await this.orders.place({ ...order, checkedWith });
    return { orderId, checkedWith };
  }

  private async checkStock({ sku, quantity }: Pick<NewOrder, 'sku' | 'quantity'>) {
    const stock = await this.router.run(checkStock, { sku }).catch(refuse);
    // Nobody is turned away for what was true a while ago.
    if (stock.path === 'view' && stock.ageMs > STOCK_MAY_BE_MS) return 'nobody';
    if (stock.value === null) return 'nobody';
    if (stock.value.available < quantity) throw new ConflictException(`${sku} has run out`);
    return stock.path === 'service' ? 'service' : 'view';
  }
}

function refuse(error: unknown): never {
  if (!(error instanceof SyncCallError)) throw error;
  if (error.status === 'NOT_FOUND')
    throw new NotFoundException('no such product', { cause: error });
  throw new ServiceUnavailableException('try again in a while', { cause: error });
}
