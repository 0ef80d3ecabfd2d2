import { TEST_TOKENS } from '../billing/payment-gateway.js';
import type { NewOrder, OrdersService } from '../orders/orders.service.js';
import type { Progress } from './progress.js';
import { HALF } from './script.js';

const SKUS = 40;
/** Orders placed side by side. */
const AT_ONCE = 50;

/** Places half of the story's orders through the shop, and answers their ids. */
export async function placeOrders(orders: OrdersService, progress: Progress): Promise<string[]> {
  const ids: string[] = [];
  while (ids.length < HALF.orders) {
    const first = ids.length;
    const numbers = Array.from(
      { length: Math.min(AT_ONCE, HALF.orders - first) },
      (_, i) => first + i,
    );
    ids.push(...(await Promise.all(numbers.map((number) => orders.place(orderOf(number))))));
    progress.update(ids.length, HALF.orders);
  }
  return ids;
}

function orderOf(number: number): NewOrder {
  return {
    sku: `sku-${number % SKUS}`,
    quantity: 1 + (number % 3),
    totalCents: 1_000 + number,
    paymentToken: tokenOf(number),
  };
}

/** Difficult customers come at even distances, and the two kinds never coincide. */
function tokenOf(number: number): string {
  if (number % (HALF.orders / HALF.flakyPayments) === 7) return TEST_TOKENS.flaky;
  if (number % (HALF.orders / HALF.failingPayments) === 33) return TEST_TOKENS.down;
  return 'tok_visa';
}
