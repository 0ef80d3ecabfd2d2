import type { KafkaContext } from '@nestjs/microservices';

import type { InRecord, TopicPartition } from '../kafka/records.js';

/** A message as Nest's Kafka transport shows it to handlers. */
export type NestKafkaMessage = ReturnType<KafkaContext['getMessage']>;

/** A record in the shape that kafkajs hands to Nest's parser: bytes, and numbers as text. */
export function toKafkaMessage(record: InRecord, { topic, partition }: TopicPartition): object {
  return {
    key: record.key,
    value: record.value,
    timestamp: String(record.timestamp),
    attributes: 0,
    offset: record.offset.toString(),
    size: record.bytes,
    headers: headersByName(record),
    topic,
    partition,
  };
}

/** As kafkajs has them: the values of a repeated name in a list. */
function headersByName({ headers }: InRecord): object {
  const byName = new Map<string, Buffer | null | (Buffer | null)[]>();
  for (const [name, value] of headers) {
    const known = byName.get(name);
    if (known === undefined) byName.set(name, value);
    else byName.set(name, Array.isArray(known) ? [...known, value] : [known, value]);
  }
  // Not by assignment: a header may be called `__proto__`.
  return Object.fromEntries(byName);
}
