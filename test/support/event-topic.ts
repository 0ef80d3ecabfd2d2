import { HEADERS } from '../../lib/contracts/event-headers.js';
import type { OutRecord } from '../../lib/kafka/records.js';
import { createTopic, uniqueName, withAdmin } from './unique-topic.js';
import { eventually } from './eventually.js';

/** A dead letter, or a parked record, is a record of up to 1 MiB and 64 KiB of our own headers. */
const SET_ASIDE_BYTES = String(1024 * 1024 + 64 * 1024);

/** Creates a topic and its dead-letter topic `<topic>.dlq`; both are deleted after the test or file. */
export async function createEventTopic(brokers: string[], partitions = 1): Promise<string> {
  const topic = await createTopic(brokers, { partitions, name: uniqueName('events') });
  await createDeadLetterTopic(brokers, topic);
  return topic;
}

export function createDeadLetterTopic(brokers: string[], topic: string): Promise<string> {
  return createSetAsideTopic(brokers, `${topic}.dlq`);
}

/** Creates a topic that holds a record and our headers. */
export function createSetAsideTopic(brokers: string[], name: string): Promise<string> {
  return createTopic(brokers, { name, config: { 'max.message.bytes': SET_ASIDE_BYTES } });
}

export interface EventParts {
  readonly id: string;
  /** For example `order.created.v1`. */
  readonly type: string;
  readonly key: string;
  readonly payload: unknown;
  readonly partition?: number;
}

/** An event as a publisher writes it, for tests that choose ids and partitions themselves. */
export function eventRecord({ id, type, key, payload, partition }: EventParts): OutRecord {
  return {
    key: Buffer.from(key),
    value: Buffer.from(JSON.stringify(payload)),
    headers: [
      [HEADERS.eventId, Buffer.from(id)],
      [HEADERS.eventType, Buffer.from(type)],
    ],
    timestamp: Date.now(),
    ...(partition === undefined ? {} : { partition }),
  };
}

/** The offsets a group has committed, by partition; -1 where there is none. */
export async function committedOffsets(
  brokers: string[],
  groupId: string,
  topic: string,
): Promise<number[]> {
  const [offsets] = await withAdmin(brokers, (admin) =>
    admin.fetchOffsets({ groupId, topics: [topic] }),
  );
  return (offsets?.partitions ?? [])
    .sort((a, b) => a.partition - b.partition)
    .map(({ offset }) => Number(offset));
}

/** The offset of the next record of each partition. */
export async function endOffsets(brokers: string[], topic: string): Promise<number[]> {
  const offsets = await withAdmin(brokers, (admin) => admin.fetchTopicOffsets(topic));
  return offsets.sort((a, b) => a.partition - b.partition).map(({ high }) => Number(high));
}

/** Waits until a group has committed everything that a topic holds. */
export async function committedToTheEnd(
  brokers: string[],
  groupId: string,
  topic: string,
): Promise<void> {
  const ends = await endOffsets(brokers, topic);
  await eventually(
    async () => {
      const committed = await committedOffsets(brokers, groupId, topic);
      // A partition that was never written to has nothing to commit.
      if (ends.every((end, partition) => Math.max(0, committed[partition] ?? 0) === end)) {
        return true;
      }
      throw new Error(`committed ${committed.join()}, the topic ends at ${ends.join()}`);
    },
    { timeoutMs: 25_000, intervalMs: 100, message: `${groupId} at the end of ${topic}` },
  );
}
