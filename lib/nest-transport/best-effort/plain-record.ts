import type { KafkaContext } from '@nestjs/microservices';

import type { PlacedRecord } from '../../consuming/delivery.js';
import { sizeOfRecord, type WireHeaders } from '../../kafka/records.js';

/**
 * A record as far as it can be told from what Nest's parser left of it: text and JSON are written
 * out again, so its meaning is kept and its bytes may differ.
 */
export function plainRecord(context: KafkaContext): PlacedRecord {
  const { key, value, headers, offset, timestamp } = context.getMessage();
  const wireHeaders: WireHeaders = Object.entries(headers ?? {}).map(([name, parsed]) => [
    name,
    bytesOf(parsed),
  ]);
  const content = { key: bytesOf(key), value: bytesOf(value), headers: wireHeaders };
  return {
    record: {
      ...content,
      offset: BigInt(offset),
      timestamp: Number(timestamp),
      bytes: sizeOfRecord(content),
      lastHeader: (name) => wireHeaders.findLast(([each]) => each === name)?.[1],
    },
    partition: { topic: context.getTopic(), partition: context.getPartition() },
  };
}

function bytesOf(parsed: unknown): Buffer | null {
  if (parsed === null || parsed === undefined) return null;
  if (Buffer.isBuffer(parsed)) return parsed;
  return Buffer.from(typeof parsed === 'string' ? parsed : JSON.stringify(parsed));
}
