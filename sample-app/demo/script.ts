/**
 * The story in numbers, for each of its two halves. Spelled out here and nowhere else: the summary
 * holds them against what lies in the topics.
 */
export const HALVES = 2;

export const HALF = {
  orders: 500,
  /** Orders, among those, whose payment fails twice and then goes through. */
  flakyPayments: 10,
  /** Orders, among those, whose payment never goes through. */
  failingPayments: 5,
  /** Of all orders 5 %, those with failing payments among them: sent again byte for byte. */
  duplicates: 25,
  brokenJson: 5,
  wrongSchema: 5,
  unknownVersion: 5,
  /** Good orders from a producer that gives its records no id. */
  withoutId: 10,
} as const;

/** The rest of the orders, and what else customers want. */
export const OUTAGES = {
  /** Orders placed at once while the broker is away, and the stock service with it. */
  orders: 50,
  /** Orders placed when both are back. */
  ordersAfterwards: 60,
  /** Of a product that there is not: refused, which says nothing about the health of the stock service. */
  unknownProducts: 30,
} as const;

export const STOCK = {
  products: 40,
  /** Pieces of each, delivered before the first order. */
  delivered: 1_000,
} as const;

/** What the sensors send beside all that. */
export const TELEMETRY = {
  devices: 200,
  readingsEach: 100,
  /** Devices, among those, whose shard of the store refuses them twice. */
  busyDevices: 3,
  /** Readings, among those, of a temperature that there is not. */
  impossible: 20,
  /** Sent again byte for byte. */
  duplicates: 100,
  brokenJson: 10,
} as const;

/** How often `what` happens in the whole story. */
export function inAll(what: keyof typeof HALF): number {
  return HALVES * HALF[what];
}

/** Orders that customers place in the whole story. */
export function ordersPlaced(): number {
  return inAll('orders') + OUTAGES.orders + OUTAGES.ordersAfterwards;
}
