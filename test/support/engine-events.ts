import { HEADERS } from '../../lib/contracts/event-headers.js';
import type { WireHeaders } from '../../lib/kafka/records.js';
import type { ModelPartition } from './model-kafka.js';

/** Appends an event as a publisher would write it. */
export function append(
  partition: ModelPartition,
  eventId: string,
  { key = eventId, type = 'order.created.v1', extra = [] as WireHeaders, padding = 0 } = {},
): void {
  const value = Buffer.from(JSON.stringify({ id: eventId, padding: 'x'.repeat(padding) }));
  const headers: WireHeaders = [
    [HEADERS.eventType, Buffer.from(type)],
    [HEADERS.eventId, Buffer.from(eventId)],
    ...extra,
  ];
  partition.append({ key: Buffer.from(key), headers, value });
}

export function idOf(payload: unknown): string {
  return (payload as { id: string }).id;
}

/** Lets everything that is ready happen, several turns of the loop. */
export async function settle(turns = 20): Promise<void> {
  for (let i = 0; i < turns; i++) await new Promise((resolve) => setImmediate(resolve));
}
