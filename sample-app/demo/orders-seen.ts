import { headerOf, type StoredRecord } from './bare-kafka.js';

/** A record that can be handled by nobody, with the reason that its dead letter should give. */
export interface Poison {
  readonly record: StoredRecord;
  readonly reason: 'undecodable' | 'invalid' | 'unknown-version';
}

export interface SeenOrder {
  readonly record: StoredRecord;
  readonly orderId: string;
  readonly sku: string;
  readonly quantity: number;
  readonly totalCents: number;
  readonly paymentToken: string;
}

/** What the topic of the orders holds, read without a line of the library's code. */
export interface OrdersSeen {
  /** Good orders, each once: the first record of each event id. */
  readonly orders: readonly SeenOrder[];
  readonly duplicates: number;
  readonly withoutId: number;
  readonly poison: readonly Poison[];
}

export function seeOrders(records: readonly StoredRecord[]): OrdersSeen {
  const orders: SeenOrder[] = [];
  const poison: Poison[] = [];
  const ids = new Set<string>();
  let duplicates = 0;
  let withoutId = 0;
  for (const record of records) {
    const seen = seeOrder(record);
    if ('reason' in seen) {
      poison.push(seen);
      continue;
    }
    const id = headerOf(record, 'event-id');
    if (id === undefined) withoutId++;
    if (id !== undefined && ids.has(id)) duplicates++;
    else orders.push(seen);
    if (id !== undefined) ids.add(id);
  }
  return { orders, duplicates, withoutId, poison };
}

function seeOrder(record: StoredRecord): SeenOrder | Poison {
  if (headerOf(record, 'event-type') !== 'order.created.v1') {
    return { record, reason: 'unknown-version' };
  }
  let order: Readonly<Record<string, unknown>>;
  try {
    order = JSON.parse(String(record.value)) as typeof order;
  } catch {
    return { record, reason: 'undecodable' };
  }
  const { orderId, sku, quantity, totalCents, paymentToken } = order;
  const texts = { orderId, sku, paymentToken };
  const numbers = { quantity, totalCents };
  if (!hasAll(texts, isText) || !hasAll(numbers, isNumber)) return { record, reason: 'invalid' };
  return { record, ...texts, ...numbers };
}

function hasAll<K extends string, T>(
  fields: Readonly<Record<K, unknown>>,
  is: (value: unknown) => value is T,
): fields is Readonly<Record<K, T>> {
  return Object.values(fields).every(is);
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number';
}
