import { NotFoundException } from '@nestjs/common';

import { TEST_TOKENS } from '../billing/payment-gateway.js';
import type { CheckoutService, PlacedOrder } from '../checkout/checkout.service.js';
import type { NewOrder } from '../orders/orders.service.js';
import type { Progress } from './progress.js';
import { HALF, OUTAGES, STOCK } from './script.js';

/** Orders placed side by side; those of the outage are no more, so that all of them meet it. */
const AT_ONCE = 50;

/** Places half of the story's orders through the shop. */
export function placeOrders(
  checkout: CheckoutService,
  progress: Progress,
): Promise<readonly PlacedOrder[]> {
  return placeEach(checkout, HALF.orders, tokenOf, progress);
}

/** Places so many orders, of which none is difficult. */
export function placeEasyOrders(
  checkout: CheckoutService,
  count: number,
  progress: Progress,
): Promise<readonly PlacedOrder[]> {
  return placeEach(checkout, count, () => 'tok_visa', progress);
}

/** Asks for a product that there is not, and answers how often the shop said so. */
export async function askForTheUnknown(checkout: CheckoutService): Promise<number> {
  let refused = 0;
  for (let i = 0; i < OUTAGES.unknownProducts; i++) {
    const order = { ...orderOf(i), sku: `unicorn-${i}`, paymentToken: 'tok_visa' };
    await checkout.place(order).catch((error: unknown) => {
      if (!(error instanceof NotFoundException)) throw error;
      refused++;
    });
  }
  return refused;
}

async function placeEach(
  checkout: CheckoutService,
  count: number,
  paymentTokenOf: (number: number) => string,
  progress: Progress,
): Promise<readonly PlacedOrder[]> {
  const placed: PlacedOrder[] = [];
  while (placed.length < count) {
    const first = placed.length;
    const numbers = Array.from({ length: Math.min(AT_ONCE, count - first) }, (_, i) => first + i);
    const orders = numbers.map((number) => ({
      ...orderOf(number),
      paymentToken: paymentTokenOf(number),
    }));
    placed.push(...(await Promise.all(orders.map((order) => checkout.place(order)))));
    progress.update(placed.length, count);
  }
  return placed;
}

export function skuOf(number: number): string {
  return `sku-${number % STOCK.products}`;
}

function orderOf(number: number): Omit<NewOrder, 'paymentToken' | 'checkedWith'> {
  return { sku: skuOf(number), quantity: 1 + (number % 3), totalCents: 1_000 + number };
}

/** Difficult customers come at even distances, and the two kinds never coincide. */
function tokenOf(number: number): string {
  if (number % (HALF.orders / HALF.flakyPayments) === 7) return TEST_TOKENS.flaky;
  if (number % (HALF.orders / HALF.failingPayments) === 33) return TEST_TOKENS.down;
  return 'tok_visa';
}
