import { randomUUID } from 'node:crypto';
import type { Message } from 'kafkajs';

import type { BareKafka } from './bare-kafka.js';
import { HALF } from './script.js';

/** Every twentieth order, the one with the failing payment of each hundred included. */
const DUPLICATE_EVERY = HALF.orders / HALF.duplicates;
const FIRST_DUPLICATE = 13;

/** Writes to the topic of the orders what no careful producer would. */
export async function makeTrouble(
  kafka: BareKafka,
  topic: string,
  orderIds: readonly string[],
): Promise<void> {
  await kafka.send(topic, await duplicates(kafka, topic, orderIds));
  await kafka.send(topic, [
    ...times(HALF.brokenJson, () => record('{"orderId": "cut o')),
    ...times(HALF.wrongSchema, () => record(JSON.stringify({ ...order(), quantity: 'three' }))),
    ...times(HALF.unknownVersion, () =>
      record(JSON.stringify(order()), { 'event-type': 'order.created.v99' }),
    ),
    ...times(HALF.withoutId, () => withoutId(record(JSON.stringify(order())))),
  ]);
}

/** Records that are there already, once more: same partition, key, bytes and event id. */
async function duplicates(
  kafka: BareKafka,
  topic: string,
  orderIds: readonly string[],
): Promise<Message[]> {
  const chosen = new Set(orderIds.filter((_, i) => i % DUPLICATE_EVERY === FIRST_DUPLICATE));
  const records = await kafka.readAll([topic]);
  return records
    .filter(({ key }) => key !== null && chosen.has(key.toString()))
    .map(({ partition, key, value, headers }) => ({ partition, key, value, headers }));
}

function order() {
  return {
    orderId: randomUUID(),
    sku: 'sku-0',
    quantity: 1,
    totalCents: 100,
    paymentToken: 'tok_visa',
  };
}

function record(value: string, headers: Readonly<Record<string, string>> = {}): Message {
  return {
    key: randomUUID(),
    value,
    headers: { 'event-id': randomUUID(), 'event-type': 'order.created.v1', ...headers },
  };
}

function withoutId(message: Message): Message {
  return { ...message, headers: { 'event-type': 'order.created.v1' } };
}

function times<T>(count: number, make: () => T): T[] {
  return Array.from({ length: count }, make);
}
