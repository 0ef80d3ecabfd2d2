import { Injectable } from '@nestjs/common';

/** Tokens the gateway answers in a way of their own, as real gateways offer for tests. */
export const TEST_TOKENS = {
  /** Fails twice for each order, then succeeds. */
  flaky: 'tok_flaky',
  /** Never succeeds. */
  down: 'tok_down',
} as const;

/** Failures of the flaky token before it succeeds. */
const FLAKY_FAILURES = 2;

export interface Charge {
  readonly orderId: string;
  readonly totalCents: number;
  /** How many calls it took. */
  readonly calls: number;
}

/** Stands for the HTTP client of a payment provider. */
@Injectable()
export class PaymentGateway {
  private readonly callsByOrder = new Map<string, number>();
  private readonly made: Charge[] = [];

  get charges(): readonly Charge[] {
    return this.made;
  }

  /** Rejects while the gateway is out of order: worth another attempt. */
  async charge(orderId: string, totalCents: number, token: string): Promise<void> {
    const calls = (this.callsByOrder.get(orderId) ?? 0) + 1;
    this.callsByOrder.set(orderId, calls);
    const flaky = token === TEST_TOKENS.flaky && calls <= FLAKY_FAILURES;
    if (flaky || token === TEST_TOKENS.down) throw new Error('payment gateway: 503');
    this.made.push({ orderId, totalCents, calls });
  }
}
